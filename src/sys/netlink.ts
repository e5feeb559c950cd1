import { getSystemErrorName } from 'node:util';
import { EngineError } from '../errors/engine-error.ts';
import { errno } from './errno.ts';
import { checked, lastErrno, libc, SyscallError } from './libc.ts';
import { decodeMessages, encodeMessage, type NetlinkMessage } from './netlink-message.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
/** Tells the length of a datagram also when it did not fit. */
const MSG_TRUNC = 0x20;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** The kernel makes no datagram larger (net/netlink/af_netlink.c, netlink_dump). */
const RECEIVE_BYTES = 32 << 10;

/** An answer of the kernel that says no. */
export class NetlinkError extends EngineError {
  readonly errno: number;

  constructor(number: number, what: string) {
    super('internal', `Cannot ${what}: ${getSystemErrorName(-number)}`, {
      code: 'syscall-failed',
      ...(number === errno.EPERM ? { hint: 'Start the engine as root: it needs CAP_NET_ADMIN.' } : {}),
    });
    this.errno = number;
  }
}

/**
 * A netlink socket (of routing, where nothing else is asked for), bound for life to the network namespace that its maker's thread was in. All calls block for as long as the
 * kernel takes (it may wait for the global lock of networking), so use it off the main thread.
 */
export class NetlinkSocket {
  readonly #fd: number;
  readonly #received = Buffer.allocUnsafe(RECEIVE_BYTES);
  #sequence = 0;
  #closed = false;

  constructor(protocol: number = NETLINK_ROUTE) {
    this.#fd = checked(
      libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol),
      'socket',
      'open a netlink socket',
    );
  }

  /** Have the kernel change something. `what` goes into the error: "create bridge x". @throws NetlinkError */
  change(type: number, body: Uint8Array, options: { what: string; flags?: number }): void {
    this.#send(type, NLM_F_REQUEST | NLM_F_ACK | (options.flags ?? 0), body, options.what);
    this.#receive(options.what);
  }

  /** One question, its answer. @throws NetlinkError */
  get(type: number, body: Uint8Array, what: string): NetlinkMessage | undefined {
    this.#send(type, NLM_F_REQUEST | NLM_F_ACK, body, what);
    return this.#receive(what)[0];
  }

  /** All there is of a kind. @throws NetlinkError */
  dump(type: number, body: Uint8Array, what: string): NetlinkMessage[] {
    this.#send(type, NLM_F_REQUEST | NLM_F_DUMP, body, what);
    return this.#receive(what);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(type: number, flags: number, body: Uint8Array, what: string): void {
    if (this.#closed) throw new EngineError('internal', `Cannot ${what}: netlink socket is closed`);
    this.#sequence++;
    const message = encodeMessage({ type, flags, sequence: this.#sequence }, body);
    checked(libc.send(this.#fd, message, message.length, 0), 'send', what);
  }

  /** Everything up to the acknowledgement or the end of the dump. */
  #receive(what: string): NetlinkMessage[] {
    const answers: NetlinkMessage[] = [];
    for (;;) {
      for (const message of decodeMessages(this.#datagram(what))) {
        if (message.sequence !== this.#sequence) continue;
        if (message.type === NLMSG_DONE) return answers;
        if (message.type !== NLMSG_ERROR) {
          answers.push(message);
          continue;
        }
        const code = message.body.readInt32LE(0);
        if (code !== 0) throw new NetlinkError(-code, what);
        return answers;
      }
    }
  }

  #datagram(what: string): Buffer {
    for (;;) {
      const length = Number(libc.recv(this.#fd, this.#received, RECEIVE_BYTES, MSG_TRUNC));
      if (length > RECEIVE_BYTES) {
        throw new EngineError('internal', `Cannot ${what}: an answer of ${length} bytes`);
      }
      if (length >= 0) return Buffer.from(this.#received.subarray(0, length));
      const number = lastErrno();
      if (number !== errno.EINTR) throw new SyscallError('recv', number, what);
    }
  }
}
