import { statSync } from 'node:fs';
import type { SpecMount } from '../runtime-spec.ts';
import { checkProcMount } from './proc-mounts.ts';
import { resolveInRoot } from './root-path.ts';
import type { SourceMounts } from './source-mounts.ts';
import type { SourcePlace, SpecBind, SpecInput } from './spec-input.ts';
import { tmpfsOptions } from './tmpfs-options.ts';

/** Docker's `--shm-size` where nothing is said. */
export const DEFAULT_SHM_BYTES = 64 << 20;
const HARDENED = ['nosuid', 'noexec', 'nodev'];

interface MountOptions {
  writableCgroups: boolean;
  /** What the sources of binds lie on. */
  sources: SourceMounts;
}

/**
 * Defaults, then what was asked for, parents before children; what was asked for replaces a default at the same place, and a user's bind
 * the engine's own file (`-v ./hosts:/etc/hosts`).
 *
 * @throws EngineError for what may not be mounted there.
 */
export function containerMounts(input: SpecInput, options: MountOptions): SpecMount[] {
  const { sources } = options;
  const bound = new Set(input.binds.map((bind) => bind.destination));
  const asked = [
    ...Object.entries(input.host.tmpfs).map(([destination, options]) =>
      tmpfsMount(input.rootDirectory, destination, options),
    ),
    ...input.binds.map((bind) => bindMount(bind, sources)),
    ...input.mounts
      .filter((mount) => !bound.has(mount.destination))
      .map((mount) => lockedWith(mount, input.host.readonlyRootfs)),
  ];
  for (const mount of asked) checkProcMount(input.rootDirectory, mount);
  const places = new Set(asked.map((mount) => mount.destination));
  const defaults = defaultMounts(input, options).filter(
    (mount) =>
      !places.has(mount.destination) && !(places.has('/dev') && mount.destination.startsWith('/dev/')),
  );
  return [...defaults, ...asked.sort(byDepth)];
}

/** `rootfsPropagation`: the root must pass on what a shared or slave bind below it has. */
export function rootPropagation(binds: readonly SpecBind[]): string | undefined {
  const modes = binds.map(({ propagation }) => propagation);
  if (modes.some((mode) => mode?.endsWith('shared'))) return 'shared';
  return modes.some((mode) => mode?.endsWith('slave')) ? 'rslave' : undefined;
}

function defaultMounts(input: SpecInput, { writableCgroups }: MountOptions): SpecMount[] {
  const { privileged, ipcMode } = input.host;
  const lock = privileged ? [] : ['ro'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: HARDENED },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...HARDENED, ...lock] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...(writableCgroups ? [] : ['ro']), ...HARDENED],
    },
    ...messageQueues(input),
    ...sharedMemory(ipcMode, input),
  ];
}

/** From a user namespace the host's can't be mounted; what the host has mounted itself can be seen there. */
function messageQueues({ host: { ipcMode }, userNamespace }: SpecInput): SpecMount[] {
  const destination = '/dev/mqueue';
  if (ipcMode !== 'host' || userNamespace === undefined)
    return [{ destination, type: 'mqueue', source: 'mqueue', options: HARDENED }];
  const isThere = statSync(destination, { throwIfNoEntry: false }) !== undefined;
  const options = ['rbind', 'rprivate', ...HARDENED];
  return isThere ? [{ destination, type: 'bind', source: destination, options }] : [];
}

function sharedMemory(ipcMode: string, { sharedMemory: shared, host }: SpecInput): SpecMount[] {
  if (ipcMode === 'none') return [];
  const destination = '/dev/shm';
  if (ipcMode === 'host')
    return [{ destination, type: 'bind', source: destination, options: ['rbind', 'rprivate'] }];
  // crun takes from a bind what is not said again.
  if (shared !== undefined)
    return [{ destination, type: 'bind', source: shared, options: ['rbind', 'rprivate', ...HARDENED] }];
  const sizeBytes = host.shmSizeBytes;
  const size = sizeBytes > 0 ? sizeBytes : DEFAULT_SHM_BYTES;
  return [{ destination, type: 'tmpfs', source: 'shm', options: [...HARDENED, 'mode=1777', `size=${size}`] }];
}

/** Over a directory it takes that one's mode, as with runc, unless another is asked for. */
function tmpfsMount(root: string, destination: string, asked: string): SpecMount {
  const below = statSync(resolveInRoot(root, destination), { throwIfNoEntry: false });
  const mode = below?.isDirectory() === true ? `mode=${(below.mode & 0o7777).toString(8)}` : '';
  const options = /(^|,)mode=/.test(asked) ? asked : [asked, mode].filter((text) => text !== '').join(',');
  return {
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: tmpfsOptions(['noexec', 'nosuid', 'nodev', 'rprivate'], options),
  };
}

function bindMount(bind: SpecBind, sources: SourceMounts): SpecMount {
  const { source, destination, propagation, found } = bind;
  return {
    destination,
    type: 'bind',
    source,
    options: [
      bind.nonRecursive === true ? 'bind' : 'rbind',
      ...(bind.readOnly ? [bind.readOnlyBelow === 'never' ? 'ro' : readOnly(source, found)] : []),
      ...sources.flags(source, found).filter((flag) => flag !== 'ro' || !bind.readOnly),
      ...(propagation === undefined ? [] : [propagation]),
    ],
  };
}

/**
 * Read-only with everything mounted below the source, as Docker has it since kernel 5.12. Below a file there is nothing, and
 * crun (1.8) refuses the recursive form for one.
 */
function readOnly(source: string | undefined, found?: SourcePlace): 'ro' | 'rro' {
  if (found !== undefined) return found.directory ? 'rro' : 'ro';
  return source !== undefined && isFile(source) ? 'ro' : 'rro';
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

function lockedWith(mount: SpecMount, readonlyRoot: boolean): SpecMount {
  const options = mount.options ?? [];
  if (!readonlyRoot || options.includes('ro') || options.includes('rro')) return mount;
  const locked = readOnly(mount.source);
  const [first, ...rest] = options;
  return { ...mount, options: first === undefined ? [locked] : [first, locked, ...rest] };
}

function byDepth(a: SpecMount, b: SpecMount): number {
  return depth(a.destination) - depth(b.destination) || (a.destination < b.destination ? -1 : 1);
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}
