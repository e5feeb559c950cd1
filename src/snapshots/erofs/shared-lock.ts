/**
 * Many at once, or one alone, in the order of asking: what adds to a store runs together, what takes away runs by itself.
 */
export class SharedLock {
  #sharing = 0;
  #alone = false;
  readonly #waiting: { exclusive: boolean; start: () => void }[] = [];

  async shared<T>(task: () => Promise<T>): Promise<T> {
    await this.#turn(false);
    try {
      return await task();
    } finally {
      this.#sharing--;
      this.#next();
    }
  }

  async exclusive<T>(task: () => Promise<T>): Promise<T> {
    await this.#turn(true);
    try {
      return await task();
    } finally {
      this.#alone = false;
      this.#next();
    }
  }

  #turn(exclusive: boolean): Promise<void> {
    return new Promise((start) => {
      this.#waiting.push({ exclusive, start });
      this.#next();
    });
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && !this.#alone; first = this.#waiting[0]) {
      if (first.exclusive && this.#sharing > 0) return;
      this.#waiting.shift();
      if (first.exclusive) this.#alone = true;
      else this.#sharing++;
      first.start();
    }
  }
}
