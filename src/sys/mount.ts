import { ptr } from 'bun:ffi';
import { closeSync, constants, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { errno } from './errno.ts';
import { checked, cString, lastErrno, libc, SyscallError } from './libc.ts';
import { attachLoop } from './loop-device.ts';

/** Flags of mount(2). */
export const mountFlags = {
  readonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  remount: 0x20,
  bind: 0x1000,
  recursive: 0x4000,
  private: 0x4_0000,
  slave: 0x8_0000,
  shared: 0x10_0000,
} as const;

const umountDetach = 0x2;
const umountNoFollow = 0x8;

/** Numbers that are the same on x86-64 and arm64. */
const syscalls = { moveMount: 429n, fsopen: 430n, fsconfig: 431n, fsmount: 432n } as const;
const fsopenCloexec = 1;
const fsmountCloexec = 1;
const fsconfig = { setFlag: 0, setString: 1, create: 6 } as const;
const moveMountEmptyPath = 0x4;
const atFdcwd = -100;
const mountAttributes: Readonly<Record<string, number>> = { readonly: 0x1, nosuid: 0x2, nodev: 0x4 };
/** The kernel copies at most this many bytes of a parameter's value, the NUL counted. */
const maxParameterBytes = 256;

export interface MountCall {
  source: string;
  target: string;
  type?: string;
  flags?: number;
  data?: string;
}

/** mount(2). @throws SyscallError. */
export function mount({ source, target, type, flags = 0, data }: MountCall): void {
  const [from, to] = [cString(source), cString(target)];
  const [kind, options] = [
    type === undefined ? null : cString(type),
    data === undefined ? null : cString(data),
  ];
  const result = libc.mount(from, to, kind, BigInt(flags), options);
  checked(result, 'mount', `mount ${type ?? 'bind'} on ${JSON.stringify(target)}`);
}

/** @throws SyscallError, EBUSY where something uses it and `detach` is not set. */
export function unmount(target: string, options: { detach?: boolean } = {}): void {
  const path = cString(target);
  const flags = umountNoFollow | (options.detach === true ? umountDetach : 0);
  checked(libc.umount2(path, flags), 'umount2', `unmount ${JSON.stringify(target)}`);
}

/** As `unmount`, but nothing when no mount is there. @returns whether there was one. */
export function unmountIfMounted(target: string, options: { detach?: boolean } = {}): boolean {
  try {
    unmount(target, options);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && (error.errno === errno.EINVAL || error.errno === errno.ENOENT))
      return false;
    throw error;
  }
}

export function bindMount(source: string, target: string, options: { recursive?: boolean } = {}): void {
  const flags = mountFlags.bind | (options.recursive === true ? mountFlags.recursive : 0);
  mount({ source, target, flags });
}

/** Mount `source` at `target`, to be read and executed only. A failure leaves nothing mounted. @throws SyscallError. */
export function bindReadonly(source: string, target: string): void {
  bindMount(source, target);
  const { bind, remount, readonly, nosuid, nodev } = mountFlags;
  try {
    mount({ source: 'none', target, flags: bind | remount | readonly | nosuid | nodev });
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

/** Cut the mount at `target`, and with `recursive` those below, off from its peers. */
export function makePrivate(target: string, options: { recursive?: boolean } = {}): void {
  const flags = mountFlags.private | (options.recursive === true ? mountFlags.recursive : 0);
  mount({ source: 'none', target, flags });
}

export interface FilesystemMount {
  type: string;
  target: string;
  /** In this order; a value `true` is a flag. */
  parameters: readonly (readonly [name: string, value: string | true])[];
  attributes?: readonly ('readonly' | 'nosuid' | 'nodev')[];
}

/**
 * Mount by fsopen(2) and its kin (Linux 5.2): any number of parameters, each up to 255 bytes, and the kernel's own words when it refuses.
 *
 * @throws SyscallError; "invalid" for a value that is too long.
 */
export function mountFilesystem({ type, target, parameters, attributes = [] }: FilesystemMount): void {
  const what = `mount ${type} on ${JSON.stringify(target)}`;
  const typeName = cString(type);
  const context = checked(call(syscalls.fsopen, ptr(typeName), fsopenCloexec), 'fsopen', what);
  try {
    for (const [name, value] of parameters) setParameter(context, { name, value, what });
    configure(context, { command: fsconfig.create, what });
    const bits = attributes.reduce((sum, name) => sum | (mountAttributes[name] ?? 0), 0);
    const mounted = checked(call(syscalls.fsmount, context, fsmountCloexec, bits), 'fsmount', what);
    try {
      attach(mounted, target, what);
    } finally {
      closeSync(mounted);
    }
  } finally {
    closeSync(context);
  }
}

function attach(mounted: number, target: string, what: string): void {
  const [empty, to] = [cString(''), cString(target)];
  const result = call(syscalls.moveMount, mounted, ptr(empty), atFdcwd, ptr(to), moveMountEmptyPath);
  checked(result, 'move_mount', what);
}

function setParameter(
  context: number,
  { name, value, what }: { name: string; value: string | true; what: string },
): void {
  if (value === true) return configure(context, { command: fsconfig.setFlag, what, name });
  if (Buffer.byteLength(value) >= maxParameterBytes)
    throw new EngineError('invalid', `Cannot ${what}: ${name} is longer than ${maxParameterBytes - 1} bytes`);
  configure(context, { command: fsconfig.setString, what, name, value });
}

interface Configuration {
  command: number;
  what: string;
  name?: string;
  value?: string;
}

function configure(context: number, { command, what, name, value }: Configuration): void {
  const key = name === undefined ? undefined : cString(name);
  const text = value === undefined ? undefined : cString(value);
  const keyPointer = key === undefined ? 0 : ptr(key);
  const textPointer = text === undefined ? 0 : ptr(text);
  const result = call(syscalls.fsconfig, context, command, keyPointer, textPointer, 0);
  if (Number(result) !== -1) return;
  const number = lastErrno();
  const reason = kernelMessage(context);
  const where = name === undefined ? '' : ` (${name})`;
  throw new SyscallError('fsconfig', number, `${what}${where}${reason === '' ? '' : `: ${reason}`}`);
}

/** What the kernel noted in a filesystem context, `''` when nothing. */
function kernelMessage(context: number): string {
  const buffer = Buffer.alloc(1024);
  const lines: string[] = [];
  for (;;) {
    try {
      const length = readSync(context, buffer, 0, buffer.length, null);
      if (length <= 0) break;
      lines.push(buffer.toString('utf8', 0, length).trim());
    } catch {
      break;
    }
  }
  return lines.join('; ');
}

/** Syscall with up to six arguments; -1 on failure. */
function call(number: bigint, ...args: number[]): number | bigint {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const first = [BigInt(a), BigInt(b), BigInt(c)] as const;
  return libc.syscall(number, ...first, BigInt(d), BigInt(e), BigInt(f));
}

/**
 * A name for `path` that fits a mount parameter and holds no character that means something there: the path itself, or one through
 * an open descriptor, which must stay open until the mount is made.
 */
class ShortPaths implements Disposable {
  readonly #descriptors: number[] = [];

  of(path: string, options: { always?: boolean } = {}): string {
    const plain = Buffer.byteLength(path) < maxParameterBytes && !/[,:\\]/.test(path);
    if (plain && options.always !== true) return path;
    const descriptor = openSync(path, constants.O_RDONLY);
    this.#descriptors.push(descriptor);
    return `/proc/self/fd/${descriptor}`;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) closeSync(descriptor);
  }
}

export interface ErofsMount {
  /** The metadata image, a plain file. */
  image: string;
  /** Its data devices in the table's order, plain files too. */
  devices: readonly string[];
  target: string;
  /** Through loop devices also where the kernel could do without. */
  byLoop?: boolean | undefined;
}

/**
 * Mount an EROFS image read-only: from the files themselves (Linux 6.12), where the kernel or the file's own file system can't do that through loop devices.
 *
 * @returns which of the two. @throws SyscallError.
 */
export function mountErofs({ byLoop, ...files }: ErofsMount): 'files' | 'loop' {
  if (byLoop !== true) {
    try {
      mountErofsFrom(files);
      return 'files';
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== errno.ENOTBLK) throw error;
    }
  }
  using devices = new DisposableStack();
  const device = (file: string) => devices.use(attachLoop(file, { readonly: true })).path;
  mountErofsFrom({ image: device(files.image), devices: files.devices.map(device), target: files.target });
  return 'loop';
}

function mountErofsFrom({ image, devices, target }: Omit<ErofsMount, 'byLoop'>): void {
  using paths = new ShortPaths();
  mountFilesystem({
    type: 'erofs',
    target,
    parameters: [
      ['source', paths.of(image)],
      ...devices.map((device) => ['device', paths.of(device)] as const),
      ['ro', true],
    ],
    attributes: ['readonly'],
  });
}

export interface OverlayMount {
  /** Top first, at least one. */
  lowers: readonly string[];
  /** undefined for a read-only stack of two lowers or more. */
  writable?: { upper: string; work: string } | undefined;
  target: string;
  readonly?: boolean;
  /** Never sync the upper directory (Linux 5.10): for content that is not to outlive the machine's run. Unmounting is then quick. */
  volatile?: boolean;
}

/** Always given, since distributions and kernels differ in the defaults. */
const overlayOptions: readonly (readonly [string, string])[] = [
  ['index', 'off'],
  ['redirect_dir', 'off'],
  ['metacopy', 'off'],
  ['xino', 'off'],
];

/**
 * Mount an overlay of any depth the kernel takes (500 lowers): one `lowerdir+` for each (Linux 6.7), before that all in one page of
 * mount data by way of short names.
 *
 * @throws SyscallError.
 */
export function mountOverlay(overlay: OverlayMount): void {
  try {
    mountOverlayByParameters(overlay);
  } catch (error) {
    if (!(error instanceof SyscallError) || !refusesLowerPlus(error)) throw error;
    mountOverlayByData(overlay);
  }
}

function refusesLowerPlus(error: SyscallError): boolean {
  return (
    error.errno === errno.ENOSYS || (error.errno === errno.EINVAL && error.message.includes('lowerdir+'))
  );
}

function mountOverlayByParameters({ lowers, writable, target, readonly, volatile }: OverlayMount): void {
  using paths = new ShortPaths();
  mountFilesystem({
    type: 'overlay',
    target,
    parameters: [
      ['source', 'overlay'],
      ...lowers.map((lower) => ['lowerdir+', paths.of(lower)] as const),
      ...(writable === undefined
        ? []
        : ([
            ['upperdir', paths.of(writable.upper)],
            ['workdir', paths.of(writable.work)],
          ] as const)),
      ...overlayOptions,
      ...(volatile === true ? ([['volatile', true]] as const) : []),
    ],
    attributes: readonly === true ? ['readonly'] : [],
  });
}

/** Exported for its test: kernels of today take the other way. */
export function mountOverlayByData({ lowers, writable, target, readonly, volatile }: OverlayMount): void {
  using paths = new ShortPaths();
  const options = [
    `lowerdir=${lowers.map((lower) => paths.of(lower, { always: true })).join(':')}`,
    ...(writable === undefined
      ? []
      : [`upperdir=${paths.of(writable.upper)}`, `workdir=${paths.of(writable.work)}`]),
    ...overlayOptions.map(([name, value]) => `${name}=${value}`),
    ...(volatile === true ? ['volatile'] : []),
  ].join(',');
  if (Buffer.byteLength(options) >= 4096)
    throw new EngineError('internal', `Cannot mount ${lowers.length} layers: this kernel takes fewer`);
  mount({
    source: 'overlay',
    target,
    type: 'overlay',
    flags: readonly === true ? mountFlags.readonly : 0,
    data: options,
  });
}

/** One line of /proc/<pid>/mountinfo, escapes resolved. */
export interface MountInfo {
  id: number;
  parentId: number;
  /** `major:minor`. */
  device: string;
  root: string;
  target: string;
  type: string;
  source: string;
  options: string;
  superOptions: string;
  /** Whether it sends mounts to peers or receives them. */
  propagates: boolean;
}

export function listMounts(path = '/proc/self/mountinfo'): MountInfo[] {
  return parseMountInfo(readFileSync(path, 'utf8'));
}

/** Those in whose line `text` stands: a host has thousands, and to take each apart takes milliseconds. No blank in `text`, which would be escaped there. */
export function listMountsWith(text: string): MountInfo[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return parseMountInfo(lines.filter((line) => line.includes(text)).join('\n'));
}

/** Whether a file system begins at `path`; a directory that is mounted on another of its own file system isn't seen. False: nothing is there. */
export function isFilesystemRoot(path: string): boolean {
  const own = lstatSync(path, { throwIfNoEntry: false });
  return own !== undefined && own.dev !== lstatSync(dirname(path)).dev;
}

/** proc(5), /proc/pid/mountinfo: fields are split at spaces, optional ones end at `-`. */
export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    if (dash === -1) continue;
    const field = (index: number): string => unescapeOctal(fields[index] ?? '');
    mounts.push({
      id: Number(fields[0]),
      parentId: Number(fields[1]),
      device: field(2),
      root: field(3),
      target: field(4),
      options: field(5),
      type: field(dash + 1),
      source: field(dash + 2),
      superOptions: field(dash + 3),
      propagates: dash > 6,
    });
  }
  return mounts;
}

function unescapeOctal(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = Buffer.from(text).toString('latin1');
  const plain = bytes.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
  return Buffer.from(plain, 'latin1').toString('utf8');
}
