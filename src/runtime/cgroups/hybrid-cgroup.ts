import { readFileSync, readlinkSync } from 'node:fs';
import { checked, cString, libc } from '../../sys/libc.ts';

const UNIFIED = '/sys/fs/cgroup/unified';
const CGROUP = '/sys/fs/cgroup';
const MS_PRIVATE = 1n << 18n;
const MS_NOSUID_NODEV_NOEXEC = 14n;
const MNT_DETACH = 2;

/** Whether this host mounts cgroup v2 beside v1, which crun refuses. */
export function hasUnifiedBesideV1(mountinfo = readMountinfo()): boolean {
  return mountLine(mountinfo, UNIFIED)?.includes(' - cgroup2 ') ?? false;
}

/** True when our mounts are another set than those of the machine's first process. */
export function inOwnMountNamespace(): boolean {
  try {
    return readlinkSync('/proc/self/ns/mnt') !== readlinkSync('/proc/1/ns/mnt');
  } catch {
    return false;
  }
}

/**
 * Put an empty tmpfs in the place of the v2 hierarchy, here and nowhere else. Call it only in a mount namespace of our own.
 *
 * The tmpfs is there because crun makes its folders in that place all the same, which would be the host's tmpfs.
 * An unmount is propagated to the peers of the *parent* mount, so both are made private and looked at again before.
 * @returns false when they would not become private; nothing was changed then.
 */
export function hideUnified(): boolean {
  for (const path of [CGROUP, UNIFIED]) {
    const target = cString(path);
    checked(libc.mount(null, target, null, MS_PRIVATE, null), 'mount', `make ${path} private`);
  }
  const mountinfo = readMountinfo();
  if ([CGROUP, UNIFIED].some((path) => isShared(mountinfo, path))) return false;
  const target = cString(UNIFIED);
  const type = cString('tmpfs');
  const options = cString('size=16m,mode=755');
  checked(libc.umount2(target, MNT_DETACH), 'umount2', `unmount ${UNIFIED}`);
  checked(
    libc.mount(type, target, type, MS_NOSUID_NODEV_NOEXEC, options),
    'mount',
    `mount a tmpfs at ${UNIFIED}`,
  );
  return true;
}

function isShared(mountinfo: string, path: string): boolean {
  return / (shared|master):\d+ /.test(mountLine(mountinfo, path) ?? ' shared:0 ');
}

function mountLine(mountinfo: string, path: string): string | undefined {
  return mountinfo.split('\n').findLast((line) => line.split(' ')[4] === path);
}

function readMountinfo(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8');
}
