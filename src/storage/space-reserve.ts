import { rmSync, statSync, writeFileSync } from 'node:fs';

const RESERVE_BYTES = 1 << 20;
const RETRY_MS = 1000;

/**
 * Space set aside on the disk of a database: when a container's log has filled that disk, there is room to record that the container is
 * removed, which is what gives the space back.
 */
export class SpaceReserve {
  readonly #path: string;
  #triedAtMs = -RETRY_MS;

  constructor(path: string) {
    this.#path = path;
  }

  /** Set space aside again, now and then, where there is none. A full disk is no error. */
  fill(): void {
    if (performance.now() - this.#triedAtMs < RETRY_MS) return;
    this.#triedAtMs = performance.now();
    if (statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return;
    try {
      writeFileSync(this.#path, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 });
    } catch {
      rmSync(this.#path, { force: true });
    }
  }

  /** Give the space to the file system. False when there was none. */
  release(): boolean {
    if (statSync(this.#path, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(this.#path, { force: true });
    return true;
  }
}
