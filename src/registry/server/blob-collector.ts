import type { Digest } from '../../oci/digest.ts';
import type { BlobHold, BlobKeeper, BlobStore } from './blob-backend.ts';

/** What is about to be named. */
export class HeldBlobs {
  readonly #counts = new Map<Digest, number>();

  add(digests: readonly Digest[]): BlobHold {
    for (const digest of digests) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    let held = true;
    return {
      release: () => {
        if (held) for (const digest of digests) this.#drop(digest);
        held = false;
      },
    };
  }

  digests(): Digest[] {
    return [...this.#counts.keys()];
  }

  has(digest: Digest): boolean {
    return this.#counts.has(digest);
  }

  #drop(digest: Digest): void {
    const count = (this.#counts.get(digest) ?? 0) - 1;
    if (count > 0) this.#counts.set(digest, count);
    else this.#counts.delete(digest);
  }
}

/** Keeps and removes the blobs of a store that is the registry's alone. Collections run one after the other. */
export class OwnBlobCollector implements BlobKeeper {
  readonly #store: BlobStore & { list?(): AsyncIterable<{ digest: Digest; sizeBytes: number }> };
  readonly #named: () => ReadonlySet<Digest>;
  readonly #held = new HeldBlobs();
  #last: Promise<unknown> = Promise.resolve();

  /** `named`: all that the repositories name at this moment. */
  constructor(
    store: BlobStore & { list?(): AsyncIterable<{ digest: Digest; sizeBytes: number }> },
    named: () => ReadonlySet<Digest>,
  ) {
    this.#store = store;
    this.#named = named;
  }

  async hold(digests: readonly Digest[]): Promise<BlobHold> {
    const hold = this.#held.add(digests);
    await this.#last;
    return hold;
  }

  async release(digests: readonly Digest[]): Promise<number> {
    return await this.#exclusively(async () => {
      const named = this.#named();
      let freed = 0;
      for (const digest of digests) {
        if (named.has(digest) || this.#held.has(digest)) continue;
        freed += (await this.#store.size(digest)) ?? 0;
        await this.#store.remove(digest);
      }
      return freed;
    });
  }

  /** Remove what nobody names, as after a crash between a blob and its entry. */
  async releaseUnnamed(): Promise<number> {
    const named = this.#named();
    const unnamed: Digest[] = [];
    for await (const { digest } of this.#store.list?.() ?? []) if (!named.has(digest)) unnamed.push(digest);
    return await this.release(unnamed);
  }

  async #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#last.then(action, action);
    this.#last = run.catch(() => undefined);
    return await run;
  }
}
