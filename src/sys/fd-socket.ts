import { closeFd } from './pipe.ts';

/** So much is read ahead; then the other side waits. */
const AHEAD_BYTES = 512 << 10;

interface Adopted {
  write(data: Uint8Array, offset: number, length: number): number;
  /** Half: the other side reads the end. */
  shutdown(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/**
 * One end of a pair of sockets, read and written by the event loop: however long the other side keeps silent, no thread waits for it. (The runtime reads and
 * writes a pipe in its few file threads, and two silent ones keep every file from being read.)
 */
export class FdSocket {
  readonly #opening: Promise<Adopted | undefined>;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #paused = false;
  #closed = false;
  #readable = Promise.withResolvers<void>();
  #writable = Promise.withResolvers<void>();

  /** Takes `fd` over, a connected stream socket. */
  constructor(fd: number) {
    this.#opening = this.#adopt(fd);
  }

  /** The next bytes; undefined: the other side has ended. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#held -= chunk.length;
        if (this.#paused && this.#held < AHEAD_BYTES) await this.#resume();
        return chunk;
      }
      if (this.#closed) return undefined;
      await this.#readable.promise;
    }
  }

  /** Resolves when all is on its way; false: the other side takes no more. */
  async write(chunk: Uint8Array): Promise<boolean> {
    const socket = await this.#opening;
    for (let at = 0; at < chunk.length; ) {
      if (socket === undefined || this.#closed) return false;
      const written = socket.write(chunk, at, chunk.length - at);
      if (written < 0) return false;
      at += written;
      if (at < chunk.length) await this.#writable.promise;
    }
    return !this.#closed;
  }

  /** Nothing more will be written. */
  async end(): Promise<void> {
    (await this.#opening)?.shutdown();
  }

  async close(): Promise<void> {
    (await this.#opening)?.terminate();
    this.#ended();
  }

  async #adopt(fd: number): Promise<Adopted | undefined> {
    try {
      return (await Bun.connect({
        fd,
        allowHalfOpen: true,
        socket: {
          data: (socket: Adopted, data: Uint8Array) => this.#take(socket, data),
          drain: () => this.#drained(),
          end: () => this.#ended(),
          error: () => this.#ended(),
          close: () => this.#ended(),
        },
      } as unknown as Parameters<typeof Bun.connect>[0])) as unknown as Adopted;
    } catch {
      closeFd(fd);
      this.#ended();
      return undefined;
    }
  }

  #take(socket: Adopted, data: Uint8Array): void {
    this.#chunks.push(data);
    this.#held += data.length;
    if (this.#held >= AHEAD_BYTES && !this.#paused) {
      this.#paused = true;
      socket.pause();
    }
    this.#wake();
  }

  async #resume(): Promise<void> {
    this.#paused = false;
    (await this.#opening)?.resume();
  }

  #drained(): void {
    this.#writable.resolve();
    this.#writable = Promise.withResolvers();
  }

  #wake(): void {
    this.#readable.resolve();
    this.#readable = Promise.withResolvers();
  }

  #ended(): void {
    this.#closed = true;
    this.#wake();
    this.#drained();
  }
}
