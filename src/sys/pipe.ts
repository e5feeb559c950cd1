import { checked, libc } from './libc.ts';

const O_CLOEXEC = 0o2000000;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const FIONREAD = 0x541bn;
const F_DUPFD_CLOEXEC = 1030;

export interface FdPair {
  /** Of a pipe: the end to read from. */
  first: number;
  /** Of a pipe: the end to write to. */
  second: number;
}

/** Both ends close on exec: a child gets one only by position in its stdio. The caller closes both. */
export function openPipe(): FdPair {
  const fds = new Int32Array(2);
  checked(libc.pipe2(fds, O_CLOEXEC), 'pipe2', 'make a pipe');
  return pairOf(fds);
}

/** Connected stream sockets, close on exec. Unlike a pipe, one end can be adopted by `Bun.connect({ fd })`. */
export function openSocketPair(): FdPair {
  const fds = new Int32Array(2);
  checked(libc.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, fds), 'socketpair', 'make a pair of sockets');
  return pairOf(fds);
}

/** A second number for the same open file, close on exec. */
export function duplicateFd(fd: number): number {
  return checked(libc.fcntl(fd, F_DUPFD_CLOEXEC, 3n), 'fcntl', `duplicate fd ${fd}`);
}

/** Closing twice closes somebody else's file: set the number aside after this. */
export function closeFd(fd: number): void {
  libc.close(fd);
}

/** What lies in a pipe or FIFO and has not been read. */
export function unreadBytes(fd: number): number {
  const count = new Int32Array(1);
  checked(libc.ioctl(fd, FIONREAD, count), 'ioctl', `look into fd ${fd}`);
  return count[0] ?? 0;
}

function pairOf(fds: Int32Array): FdPair {
  return { first: fds[0] ?? -1, second: fds[1] ?? -1 };
}
