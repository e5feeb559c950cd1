import { errno } from './errno.ts';
import { checked, lastErrno, libc, SyscallError } from './libc.ts';

const EPOLL_CLOEXEC = 0o2000000;
const CTL = { add: 1, del: 2, mod: 3 };
const IN = 1;
const OUT = 4;
/** `struct epoll_event` is packed on x86-64 alone (uapi/linux/eventpoll.h). */
const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
const DATA_AT = EVENT_BYTES - 8;
const BATCH = 64;

export interface Watched {
  readable(): void;
  writable?(): void;
}

/**
 * Sockets of several network namespaces, waited for in one place, which no event loop of the runtime's does. It blocks its thread, so it is
 * for a program that does nothing else.
 */
export class EventLoop {
  readonly #fd = checked(libc.epoll_create1(EPOLL_CLOEXEC), 'epoll_create1', 'wait for sockets');
  readonly #watched = new Map<number, Watched>();
  readonly #events = Buffer.alloc(EVENT_BYTES * BATCH);

  /** `write`: also when it can be written. A second call changes what is waited for. */
  watch(fd: number, watched: Watched, { write = false }: { write?: boolean } = {}): void {
    const known = this.#watched.has(fd);
    this.#watched.set(fd, watched);
    this.#control(known ? CTL.mod : CTL.add, fd, write ? IN | OUT : IN);
  }

  /** Before it is closed. */
  forget(fd: number): void {
    if (!this.#watched.delete(fd)) return;
    this.#control(CTL.del, fd, 0);
  }

  /** Serve what has come. @returns how many. */
  turn(timeoutMs: number): number {
    const count = libc.epoll_wait(this.#fd, this.#events, BATCH, timeoutMs);
    if (count < 0) {
      const number = lastErrno();
      if (number === errno.EINTR) return 0;
      throw new SyscallError('epoll_wait', number, 'wait for sockets');
    }
    for (let at = 0; at < count; at++) {
      const bits = this.#events.readUInt32LE(at * EVENT_BYTES);
      const watched = this.#watched.get(this.#events.readUInt32LE(at * EVENT_BYTES + DATA_AT));
      if ((bits & OUT) !== 0) watched?.writable?.();
      if ((bits & ~OUT) !== 0) watched?.readable();
    }
    return count;
  }

  #control(operation: number, fd: number, bits: number): void {
    const event = Buffer.alloc(EVENT_BYTES);
    event.writeUInt32LE(bits, 0);
    event.writeUInt32LE(fd, DATA_AT);
    checked(libc.epoll_ctl(this.#fd, operation, fd, event), 'epoll_ctl', 'wait for a socket');
  }
}
