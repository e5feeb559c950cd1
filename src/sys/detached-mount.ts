import { ptr } from 'bun:ffi';
import { closeSync, openSync } from 'node:fs';
import { processStartTicks } from './clock.ts';
import { checked, cString, libc } from './libc.ts';

/** The same on x86-64 and arm64. */
const syscalls = { openTree: 428n, moveMount: 429n, mountSetattr: 442n } as const;
const atFdcwd = -100n;
const openTreeClone = 1n;
const cloexec = 0o2000000n;
const recursiveFlag = 0x8000n;
const emptyPath = 0x1000n;
const moveMountEmptyPath = 0x4n;
const attributeBits = { readonly: 0x1n, nodev: 0x4n, idmap: 0x10_0000n } as const;
const msPrivate = 0x4_0000n;
const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x2_0000;

/**
 * A copy of what is mounted at `path`, attached nowhere: it goes with its descriptor, or is put into a root by `attachMount`.
 *
 * @throws SyscallError.
 */
export function cloneMount(path: string, { recursive = false } = {}): number {
  const name = cString(path);
  const flags = openTreeClone | cloexec | (recursive ? recursiveFlag : 0n);
  const fd = libc.syscall(syscalls.openTree, atFdcwd, BigInt(ptr(name)), flags, 0n, 0n, 0n);
  return checked(fd, 'open_tree', `copy the mount at ${JSON.stringify(path)}`);
}

/** For a copy, with all that is mounted below it: nothing comes or goes by propagation, no device can be opened, and, if asked for, nothing written. */
export function restrictMount(fd: number, { readonly }: { readonly: boolean }): void {
  const set = attributeBits.nodev | (readonly ? attributeBits.readonly : 0n);
  setAttributes(fd, { set, flags: recursiveFlag, what: 'restrict a mount' });
}

/**
 * Show what a copy has with other owners: its ids are those within the user namespace, seen as the host's that they are there (Linux 5.12, and
 * the file system must know of it). Once for a copy, before it is attached. @throws SyscallError.
 */
export function mapMountIds(fd: number, userNamespace: number): void {
  setAttributes(fd, { set: attributeBits.idmap, userNamespace, what: 'map the owners of a mount' });
}

/** Mount what is at `path` on `target` too, with other owners: `mapMountIds`. A failure leaves nothing. */
export function mountMapped(path: string, target: string, userNamespace: number): void {
  const copy = cloneMount(path);
  try {
    mapMountIds(copy, userNamespace);
    attachMount(copy, target);
  } finally {
    closeSync(copy);
  }
}

function setAttributes(
  fd: number,
  {
    set,
    flags = 0n,
    userNamespace = 0,
    what,
  }: {
    set: bigint;
    flags?: bigint;
    userNamespace?: number;
    what: string;
  },
): void {
  // struct mount_attr: attr_set, attr_clr, propagation, userns_fd (linux/mount.h).
  const attributes = new BigUint64Array([set, 0n, msPrivate, BigInt(userNamespace)]);
  const empty = cString('');
  const result = libc.syscall(
    syscalls.mountSetattr,
    BigInt(fd),
    BigInt(ptr(empty)),
    emptyPath | flags,
    BigInt(ptr(attributes)),
    BigInt(attributes.byteLength),
    0n,
  );
  checked(result, 'mount_setattr', what);
}

/** Put a copy where `target` leads from this process's root. @throws SyscallError. */
export function attachMount(fd: number, target: string): void {
  const [empty, to] = [cString(''), cString(target)];
  const result = libc.syscall(
    syscalls.moveMount,
    BigInt(fd),
    BigInt(ptr(empty)),
    atFdcwd,
    BigInt(ptr(to)),
    moveMountEmptyPath,
    0n,
  );
  checked(result, 'move_mount', `mount on ${JSON.stringify(target)}`);
}

/**
 * Run `visit` on this thread in the mount namespace, and the root, of a process that is told by pid and start time; undefined: it is gone.
 * For short-lived processes only: afterwards this thread no longer shares its root and working directory with the others. All of it is synchronous.
 */
export function visitMountNamespace<T>(
  process: { pid: number; startTicks: number },
  visit: () => T,
): T | undefined {
  const home = openSync('/proc/thread-self/ns/mnt', 'r');
  let there: number | undefined;
  try {
    there = openNamespace(process);
    if (there === undefined) return undefined;
    // setns(2): a thread that shares its file system attributes may not change its mount namespace.
    checked(libc.unshare(CLONE_FS), 'unshare', 'have a root of our own');
    checked(libc.setns(there, CLONE_NEWNS), 'setns', `enter the mount namespace of process ${process.pid}`);
    try {
      return visit();
    } finally {
      checked(libc.setns(home, CLONE_NEWNS), 'setns', 'return to our mount namespace');
    }
  } finally {
    closeSync(home);
    if (there !== undefined) closeSync(there);
  }
}

function openNamespace({ pid, startTicks }: { pid: number; startTicks: number }): number | undefined {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/ns/mnt`, 'r');
  } catch {
    return undefined;
  }
  // Asked for only now: it was this process's, or is another's that has the number.
  if (processStartTicks(pid) === startTicks) return fd;
  closeSync(fd);
  return undefined;
}
