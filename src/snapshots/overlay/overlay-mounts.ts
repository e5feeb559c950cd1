import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errno } from '../../sys/errno.ts';
import { checked, cString, lastErrno, libc, SyscallError } from '../../sys/libc.ts';
import { runChecked } from '../../sys/spawn.ts';

const MS_RDONLY = 1;
const MNT_DETACH = 2;
/** The kernel copies one page of options, the NUL included. */
const optionBytes = 4095;
/** Chosen for good: snapshots of one kind must not meet mounts of another. */
const fixedOptions = 'index=off,redirect_dir=off,metacopy=off,xino=off';

export interface OverlayStack {
  /** Topmost first, at least one. */
  lowers: readonly string[];
  upper: string;
  work: string;
  readonly: boolean;
}

export interface OverlayMount {
  target: string;
  upper: string;
}

/**
 * Mount `stack` on `target`. Where the options exceed a page (some 35 layers, by their paths' length), links with short names are made
 * in `scratch` and mount(8) is started in there: only a process of its own can have a working directory of its own.
 *
 * @throws SyscallError, or EngineError "internal" from mount(8).
 */
export async function mountOverlay(stack: OverlayStack, target: string, scratch: string): Promise<void> {
  const options = overlayOptions(stack, stack.lowers.map(escapeLower));
  if (Buffer.byteLength(options) > optionBytes) return mountByLinks(stack, target, scratch);
  const [type, mountPoint, data] = [cString('overlay'), cString(target), cString(options)];
  const flags = stack.readonly ? MS_RDONLY : 0;
  checked(libc.mount(type, mountPoint, type, flags, data), 'mount', `mount overlay on ${target}`);
}

async function mountByLinks(stack: OverlayStack, target: string, scratch: string): Promise<void> {
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const links = await mkdtemp(join(scratch, 'links-'));
  try {
    const names = stack.lowers.map((_, index) => index.toString(36));
    await Promise.all(stack.lowers.map((lower, index) => symlink(lower, join(links, names[index] ?? ''))));
    const options = `${stack.readonly ? 'ro' : 'rw'},${overlayOptions(stack, names)}`;
    await runChecked(['mount', '-i', '-t', 'overlay', '-o', options, 'overlay', target], { cwd: links });
  } finally {
    await rm(links, { recursive: true, force: true });
  }
}

function overlayOptions(stack: OverlayStack, lowers: string[]): string {
  const [upper, work] = [escapeOption(stack.upper), escapeOption(stack.work)];
  return `lowerdir=${lowers.join(':')},upperdir=${upper},workdir=${work},${fixedOptions}`;
}

function escapeOption(path: string): string {
  return path.replaceAll(/[\\,]/g, '\\$&');
}

/** Colons divide lowers, so they are escaped, once for that and once for the option. */
function escapeLower(path: string): string {
  return path.replaceAll(/[\\,:]/g, '\\$&');
}

/** Unmount; one that is in use goes when its last user does. False where nothing is mounted. */
export function unmountOverlay(target: string): boolean {
  const path = cString(target);
  if (libc.umount2(path, 0) === 0) return true;
  const first = lastErrno();
  if (first === errno.EINVAL || first === errno.ENOENT) return false;
  if (first !== errno.EBUSY) throw new SyscallError('umount2', first, `unmount ${target}`);
  checked(libc.umount2(path, MNT_DETACH), 'umount2', `unmount ${target}`);
  return true;
}

/** The overlays with an upper directory in this process's mount namespace. */
export async function overlayMounts(): Promise<OverlayMount[]> {
  const mounts: OverlayMount[] = [];
  for (const line of (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')) {
    const [mount = '', type = ''] = line.split(' - ');
    if (!type.startsWith('overlay ')) continue;
    const upper = type
      .slice(type.lastIndexOf(' ') + 1)
      .split(',')
      .find((option) => option.startsWith('upperdir='));
    if (upper === undefined) continue;
    mounts.push({
      target: unescapeMount(mount.split(' ')[4] ?? ''),
      upper: unescapeOption(unescapeMount(upper.slice('upperdir='.length))),
    });
  }
  return mounts;
}

function unescapeMount(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Some kernels show the option as it was given, some as they understood it. */
function unescapeOption(text: string): string {
  return text.replaceAll(/\\([\\,:])/g, '$1');
}
