import type { CacheRecord } from './cache-record.ts';

/** Records to be taken in the order of their last use: a binary heap, so that records may be added meanwhile. */
export class OldestFirst {
  readonly #heap: CacheRecord[] = [];

  add(record: CacheRecord): void {
    const heap = this.#heap;
    let at = heap.push(record) - 1;
    for (let above = (at - 1) >> 1; at > 0 && this.#isOlder(at, above); above = (at - 1) >> 1) {
      this.#swap(at, above);
      at = above;
    }
  }

  /** The one whose last use is the longest ago. */
  take(): CacheRecord | undefined {
    const heap = this.#heap;
    const [oldest] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return oldest;
    heap[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const below = right < heap.length && this.#isOlder(right, left) ? right : left;
      if (below >= heap.length || !this.#isOlder(below, at)) return oldest;
      this.#swap(at, below);
      at = below;
    }
  }

  #isOlder(one: number, other: number): boolean {
    return (this.#heap[one]?.usedNano ?? 0n) < (this.#heap[other]?.usedNano ?? 0n);
  }

  #swap(one: number, other: number): void {
    const heap = this.#heap;
    const [a, b] = [heap[one], heap[other]];
    if (a === undefined || b === undefined) return;
    heap[one] = b;
    heap[other] = a;
  }
}
