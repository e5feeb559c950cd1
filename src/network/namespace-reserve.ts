import { closeSync } from 'node:fs';

export interface NamespaceReserveOptions {
  /** Makes one: a descriptor that alone keeps it. */
  make: () => number;
  /** Of these there are some at any time. */
  least?: number;
  /** So many while they are asked for. */
  most?: number;
  /** Without work for so long, the thread makes the next one. */
  pauseMs?: number;
  /** Nobody has asked for so long: back to the least. */
  idleMs?: number;
}

/**
 * Network namespaces made ahead of need: the kernel takes some milliseconds for each. Descriptors alone keep them, so nothing of them outlives the
 * process, however it ends.
 */
export class NamespaceReserve {
  readonly #options: Required<NamespaceReserveOptions>;
  readonly #ready: number[] = [];
  #wanted: number;
  #nextAt: Timer | undefined;
  #idleAt: Timer | undefined;
  #closed = false;

  constructor(options: NamespaceReserveOptions) {
    this.#options = { least: 2, most: 8, pauseMs: 20, idleMs: 60_000, ...options };
    this.#wanted = this.#options.least;
  }

  get size(): number {
    return this.#ready.length;
  }

  /** One that was ready, or one that is made now. The caller closes its descriptor. */
  take(): { fd: number; wasReady: boolean } {
    const { make, most, least, idleMs } = this.#options;
    this.#wanted = most;
    clearTimeout(this.#idleAt);
    this.#idleAt = setTimeout(() => this.#shrink(least), idleMs);
    this.#idleAt.unref();
    const ready = this.#ready.shift();
    return { fd: ready ?? make(), wasReady: ready !== undefined };
  }

  /** The thread has done something: what is lacking is made once it has had nothing to do for a while. */
  worked(): void {
    clearTimeout(this.#nextAt);
    if (this.#closed || this.#ready.length >= this.#wanted) return;
    this.#nextAt = setTimeout(() => this.#makeNext(), this.#options.pauseMs);
    this.#nextAt.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#nextAt);
    clearTimeout(this.#idleAt);
    this.#shrink(0);
  }

  /** One at a time: work that comes meanwhile waits for no more than that. */
  #makeNext(): void {
    try {
      this.#ready.push(this.#options.make());
    } catch {
      // Whoever needs one makes it, and hears why it can't be made.
      return;
    }
    this.worked();
  }

  #shrink(size: number): void {
    this.#wanted = size;
    for (const fd of this.#ready.splice(size)) closeSync(fd);
  }
}
