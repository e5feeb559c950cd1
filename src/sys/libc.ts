import { dlopen, FFIType, read } from 'bun:ffi';
import { EngineError } from '../errors/engine-error.ts';
import { errnoName } from './errno.ts';

const { i32, i64, ptr, u32, u64 } = FFIType;

/** The one dlopen. Everything that Node's API lacks goes through here; add a symbol, not a second library. */
export const libc = dlopen('libc.so.6', {
  __errno_location: { args: [], returns: ptr },
  mount: { args: [ptr, ptr, ptr, u64, ptr], returns: i32 },
  umount2: { args: [ptr, i32], returns: i32 },
  setns: { args: [i32, i32], returns: i32 },
  unshare: { args: [i32], returns: i32 },
  pipe2: { args: [ptr, i32], returns: i32 },
  socket: { args: [i32, i32, i32], returns: i32 },
  socketpair: { args: [i32, i32, i32, ptr], returns: i32 },
  connect: { args: [i32, ptr, u32], returns: i32 },
  fcntl: { args: [i32, i32, i64], returns: i32 },
  ioctl: { args: [i32, u64, ptr], returns: i32 },
  flock: { args: [i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  mknod: { args: [ptr, u32, u64], returns: i32 },
  mkfifo: { args: [ptr, u32], returns: i32 },
  statx: { args: [i32, ptr, i32, u32, ptr], returns: i32 },
  utimensat: { args: [i32, ptr, ptr, i32], returns: i32 },
  syncfs: { args: [i32], returns: i32 },
  pivot_root: { args: [ptr, ptr], returns: i32 },
  lsetxattr: { args: [ptr, ptr, ptr, u64, i32], returns: i32 },
  lgetxattr: { args: [ptr, ptr, ptr, u64], returns: i64 },
  llistxattr: { args: [ptr, ptr, u64], returns: i64 },
  execve: { args: [ptr, ptr, ptr], returns: i32 },
  madvise: { args: [u64, u64, i32], returns: i32 },
  prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
  posix_fallocate: { args: [i32, i64, i64], returns: i32 },
  send: { args: [i32, ptr, u64, i32], returns: i64 },
  recv: { args: [i32, ptr, u64, i32], returns: i64 },
  bind: { args: [i32, ptr, u32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  accept4: { args: [i32, ptr, ptr, i32], returns: i32 },
  getsockname: { args: [i32, ptr, ptr], returns: i32 },
  getsockopt: { args: [i32, i32, i32, ptr, ptr], returns: i32 },
  setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
  sendto: { args: [i32, ptr, u64, i32, ptr, u32], returns: i64 },
  recvfrom: { args: [i32, ptr, u64, i32, ptr, ptr], returns: i64 },
  epoll_create1: { args: [i32], returns: i32 },
  epoll_ctl: { args: [i32, i32, i32, ptr], returns: i32 },
  epoll_wait: { args: [i32, ptr, i32, i32], returns: i32 },
  clock_gettime: { args: [i32, ptr], returns: i32 },
  capget: { args: [ptr, ptr], returns: i32 },
  capset: { args: [ptr, ptr], returns: i32 },
  syscall: { args: [i64, i64, i64, i64, i64, i64, i64], returns: i64 },
}).symbols;

/** errno of the last failed call on this thread: read it as the very next statement after the call. */
export function lastErrno(): number {
  const location = libc.__errno_location();
  if (location === null) throw new EngineError('internal', 'Cannot read errno');
  return read.i32(location, 0);
}

/** NUL-terminated bytes. Keep the result in a variable until the call has returned. */
export function cString(text: string): Buffer {
  if (text.includes('\0')) throw new EngineError('invalid', `NUL byte in ${JSON.stringify(text)}`);
  return Buffer.from(`${text}\0`);
}

/** The error of a failed call. `what` says what was tried, with the values. */
export class SyscallError extends EngineError {
  readonly errno: number;

  constructor(call: string, number: number, what: string) {
    super('internal', `Cannot ${what}: ${call}: ${errnoName(number)}`, { code: 'syscall-failed' });
    this.errno = number;
  }
}

/** Throws SyscallError when `result` is -1. */
export function checked(result: number | bigint, call: string, what: string): number {
  if (Number(result) === -1) throw new SyscallError(call, lastErrno(), what);
  return Number(result);
}
