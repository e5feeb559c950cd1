import type { EventLoop } from '../../sys/event-loop.ts';
import { closeSocket, connectionError, receiveSome, sendSome } from '../../sys/socket.ts';

export interface FramedStreamHandler {
  message(data: Buffer): void;
  /** The other side has left, or broke the rules. Last call. */
  closed(): void;
}

const MAX_UNSENT_BYTES = 1 << 20;
const RECEIVE_BYTES = 16 << 10;
const received = Buffer.allocUnsafe(RECEIVE_BYTES);

/** A TCP connection of messages with their length before them (RFC 1035, 4.2.2). */
export class FramedStream {
  readonly #loop: EventLoop;
  readonly #fd: number;
  readonly #handler: FramedStreamHandler;
  #received = Buffer.alloc(0);
  #unsent = Buffer.alloc(0);
  #connecting: boolean;
  #isOpen = true;

  constructor(loop: EventLoop, fd: number, options: { connecting: boolean; handler: FramedStreamHandler }) {
    this.#loop = loop;
    this.#fd = fd;
    this.#connecting = options.connecting;
    this.#handler = options.handler;
    this.#watch();
  }

  send(message: Buffer): void {
    if (!this.#isOpen) return;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    this.#unsent = Buffer.concat([this.#unsent, length, message]);
    // Who asks and doesn't read gets no more.
    if (this.#unsent.length > MAX_UNSENT_BYTES) return this.#end();
    if (!this.#connecting) this.#flush();
    else this.#watch();
  }

  /** `closed` is not called. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#loop.forget(this.#fd);
    closeSocket(this.#fd);
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.close();
    this.#handler.closed();
  }

  #watch(): void {
    const write = this.#connecting || this.#unsent.length > 0;
    const watched = { readable: () => this.#read(), writable: () => this.#write() };
    this.#loop.watch(this.#fd, watched, { write });
  }

  #write(): void {
    if (!this.#isOpen) return;
    if (this.#connecting && connectionError(this.#fd) !== 0) return this.#end();
    this.#connecting = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#unsent.length > 0) {
      const sent = sendSome(this.#fd, this.#unsent);
      if (sent === undefined) return this.#end();
      this.#unsent = this.#unsent.subarray(sent);
    }
    this.#watch();
  }

  #read(): void {
    if (!this.#isOpen) return;
    const data = receiveSome(this.#fd, received);
    if (data === 'later') return;
    if (data === undefined) return this.#end();
    this.#received = Buffer.concat([this.#received, data]);
    while (this.#isOpen && this.#received.length >= 2) {
      const length = this.#received.readUInt16BE(0);
      if (this.#received.length < 2 + length) return;
      const message = this.#received.subarray(2, 2 + length);
      this.#received = this.#received.subarray(2 + length);
      this.#handler.message(message);
    }
  }
}
