import { ptr } from 'bun:ffi';
import { readdirSync } from 'node:fs';
import { libc } from './libc.ts';
import { closeFd } from './pipe.ts';

const ARM = process.arch === 'arm64';
const SYS_GETSOCKOPT = ARM ? 209n : 55n;
const SYS_SETSOCKOPT = ARM ? 208n : 54n;
const SYS_PIDFD_OPEN = 434n;
const SYS_PIDFD_GETFD = 438n;
const SOL_SOCKET = 1n;
const SO_TYPE = 3n;
const SO_PEERCRED = 17n;
const SO_ACCEPTCONN = 30n;
const SO_SNDBUFFORCE = 32n;
const SOCK_SEQPACKET = 5;

/**
 * Let the process at the other end of a packet socket put more into it before it has to wait. On a Unix socket the bytes in flight count
 * against the sender's buffer, so the receiver cannot grant room of its own (unix(7)); it is set on the sender's own sockets, by a copy of
 * their fds (pidfd_getfd(2), Linux 5.6, which asks for the right to trace).
 *
 * A sender that cannot be reached keeps the room that it has.
 */
export function widenSender(fd: number, bytes: number): void {
  const pid = peerPid(fd);
  const pidfd = pid > 0 ? call(SYS_PIDFD_OPEN, pid) : -1;
  if (pidfd < 0) return;
  try {
    for (const name of readdirSync(`/proc/${pid}/fd`)) widenOne(pidfd, Number(name), bytes);
  } catch {
    // It has ended.
  } finally {
    closeFd(pidfd);
  }
}

function widenOne(pidfd: number, number: number, bytes: number): void {
  const copy = call(SYS_PIDFD_GETFD, pidfd, number);
  if (copy < 0) return;
  if (option(copy, SO_TYPE) === SOCK_SEQPACKET && option(copy, SO_ACCEPTCONN) === 0) {
    const value = new Int32Array([bytes]);
    libc.syscall(SYS_SETSOCKOPT, BigInt(copy), SOL_SOCKET, SO_SNDBUFFORCE, address(value), 4n, 0n);
  }
  closeFd(copy);
}

/** Of whoever listened; 0 when unknown. */
function peerPid(fd: number): number {
  return optionValue(fd, SO_PEERCRED, 3) ?? 0;
}

function option(fd: number, name: bigint): number | undefined {
  return optionValue(fd, name, 1);
}

/** The first of the option's `words` integers. */
function optionValue(fd: number, name: bigint, words: number): number | undefined {
  const value = new Int32Array(words);
  const length = new Int32Array([words * 4]);
  const result = libc.syscall(
    SYS_GETSOCKOPT,
    BigInt(fd),
    SOL_SOCKET,
    name,
    address(value),
    address(length),
    0n,
  );
  return Number(result) === 0 ? value[0] : undefined;
}

function call(number: bigint, first: number, second = 0): number {
  return Number(libc.syscall(number, BigInt(first), BigInt(second), 0n, 0n, 0n, 0n));
}

function address(memory: Int32Array): bigint {
  return BigInt(ptr(memory));
}
