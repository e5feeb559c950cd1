import { checked, libc } from '../libc.ts';
import { closeFd } from '../pipe.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MAX_MESSAGE_BYTES = 1 << 20;
const POLL_MS = 2;

/** A datagram socket file that keeps what it is sent. The path must be short. */
export class DatagramListener {
  readonly messages: Buffer[] = [];
  readonly #fd: number;
  readonly #timer: NodeJS.Timeout;

  constructor(path: string) {
    this.#fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket', 'make a socket');
    const address = Buffer.concat([Uint8Array.of(AF_UNIX, 0), Buffer.from(`${path}\0`)]);
    checked(libc.bind(this.#fd, address, address.length), 'bind', `listen at ${path}`);
    this.#timer = setInterval(() => this.#receive(), POLL_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    closeFd(this.#fd);
  }

  #receive(): void {
    const buffer = Buffer.alloc(MAX_MESSAGE_BYTES);
    while (true) {
      const length = Number(libc.recv(this.#fd, buffer, BigInt(buffer.length), MSG_DONTWAIT));
      if (length < 0) return;
      this.messages.push(Buffer.from(buffer.subarray(0, length)));
    }
  }
}
