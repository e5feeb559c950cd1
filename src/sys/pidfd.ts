import { errno } from './errno.ts';
import { checked, lastErrno, libc } from './libc.ts';
import { closeFd, duplicateFd } from './pipe.ts';

/** Syscall numbers, the same on x86-64 and arm64. */
const SYS_PIDFD_SEND_SIGNAL = 424n;
const SYS_PIDFD_OPEN = 434n;
/** `_IOWR(0xff, 11, struct pidfd_info)` with the struct's first published size, 64 bytes (linux/pidfd.h). */
const PIDFD_GET_INFO = 0xc040ff0bn;
const PIDFD_INFO_BYTES = 64;
const PIDFD_INFO_EXIT = 1n << 3n;
const EXIT_CODE_OFFSET = 60;

/** A process that cannot be mistaken for another one with the same number. Owns an fd: close it. */
export class Pidfd {
  readonly pid: number;
  readonly #fd: number;
  #closed = false;
  #exited: Promise<void> | undefined;

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /** Undefined: there is no such process, or it has been reaped. @throws SyscallError otherwise. */
  static open(pid: number): Pidfd | undefined {
    const fd = Number(libc.syscall(SYS_PIDFD_OPEN, BigInt(pid), 0n, 0n, 0n, 0n, 0n));
    if (fd >= 0) return new Pidfd(pid, fd);
    const number = lastErrno();
    // EINVAL: the number belongs to a thread, not to a process.
    if (number === errno.ESRCH || number === errno.EINVAL) return undefined;
    return checked(fd, 'pidfd_open', `watch process ${pid}`) as never;
  }

  /** False: the process has ended. @throws SyscallError "EPERM" and the like. */
  signal(signal: number): boolean {
    if (this.#closed) return false;
    const result = libc.syscall(SYS_PIDFD_SEND_SIGNAL, BigInt(this.#fd), BigInt(signal), 0n, 0n, 0n, 0n);
    if (Number(result) === 0) return true;
    if (lastErrno() === errno.ESRCH) return false;
    return checked(result, 'pidfd_send_signal', `send signal ${signal} to process ${this.pid}`) as never;
  }

  /** Resolves when the process has ended (a zombie has). Stays pending for ever when `close` comes first. */
  exited(): Promise<void> {
    this.#exited ??= watch(this.#fd);
    return this.#exited;
  }

  /**
   * 0–255, or 128 plus the signal, of a process that has been reaped. Undefined before that, and on kernels before 6.15.
   * Works only on a Pidfd that was opened before the process was reaped.
   */
  exitCode(): number | undefined {
    if (this.#closed) return undefined;
    const info = new DataView(new ArrayBuffer(PIDFD_INFO_BYTES));
    info.setBigUint64(0, PIDFD_INFO_EXIT, true);
    if (libc.ioctl(this.#fd, PIDFD_GET_INFO, new Uint8Array(info.buffer)) !== 0) return undefined;
    if ((info.getBigUint64(0, true) & PIDFD_INFO_EXIT) === 0n) return undefined;
    const status = info.getInt32(EXIT_CODE_OFFSET, true);
    const signal = status & 0x7f;
    return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.#fd);
  }
}

/**
 * A pidfd turns readable when its process ends. Bun polls any fd that it is told to be a socket; the read that follows fails with
 * ENOTSOCK, which closes the (duplicated) fd: that close is the news.
 */
function watch(fd: number): Promise<void> {
  const copy = duplicateFd(fd);
  return new Promise((resolve, reject) => {
    Bun.connect({
      fd: copy,
      socket: { data: () => undefined, error: () => undefined, close: () => resolve() },
    } as unknown as Parameters<typeof Bun.connect>[0]).then(
      (socket) => socket.unref(),
      (error: unknown) => {
        closeFd(copy);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
