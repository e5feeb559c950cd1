import { EngineError } from '../../../errors/engine-error.ts';
import { algorithmOf, type Digest } from '../../../oci/digest.ts';
import type { BlobStream } from '../../client/registry-client.ts';
import type { BlobIngest, BlobStore } from '../blob-backend.ts';
import { isNoSpace } from '../no-space.ts';
import type { Audience } from './audience.ts';
import type { Upstream } from './upstream.ts';

export interface BlobFillOptions {
  store: BlobStore;
  upstream: Upstream;
  repository: string;
  digest: Digest;
  size: number | undefined;
  audience: Audience;
  /** Make room for so many bytes in all. @throws EngineError code size-exceeded */
  admit(bytes: number): Promise<void>;
  /** Publish the bytes and name them. */
  publish(ingest: BlobIngest): Promise<void>;
  /** It has failed; so many bytes stay for the next attempt. */
  giveUp(error: unknown, leftBytes: number): Promise<void>;
}

/** Where the blob's bytes lie while it is not whole. */
export function ingestKey(digest: Digest): string {
  return `cache-${digest}`;
}

/**
 * One blob on its way from the upstream into the store, at the upstream's pace, and to any number of readers, each at its own: they follow what is on
 * disk. A reader's last byte waits for the digest: bytes that are others' end in a broken connection, never in a whole answer. When the last reader leaves,
 * the transfer stops; what came so far is kept, and the next one goes on from there.
 */
export class BlobFill {
  readonly #options: BlobFillOptions;
  readonly #ingest: BlobIngest;
  readonly #reading = new Set<Promise<unknown>>();
  #state: 'filling' | 'closing' | 'published' | { failure: unknown } = 'filling';
  /** The disk is: whoever notices first, the writing side or a reader that waits for what is being written. */
  #full: unknown;
  #changed = Promise.withResolvers<void>();
  /** Resolves when nothing of it is under way any more, however it went. */
  readonly ended: Promise<void>;

  private constructor(options: BlobFillOptions, begun: { ingest: BlobIngest; stream: BlobStream }) {
    this.#options = options;
    this.#ingest = begun.ingest;
    this.ended = this.#run(begun.stream);
  }

  /** Resolves once the upstream has begun to answer. @throws what the registry client throws. */
  static async begin(options: BlobFillOptions): Promise<BlobFill> {
    const { store, upstream, repository, digest, size, audience } = options;
    const ingest = await store.ingest(ingestKey(digest), { algorithm: algorithmOf(digest) });
    try {
      await options.admit(ingest.offset);
      const request = { signal: audience.signal, start: ingest.offset };
      const stream = await upstream.blob(repository, digest, {
        ...request,
        ...(size === undefined ? {} : { size }),
      });
      return new BlobFill(options, { ingest, stream });
    } catch (error) {
      await abandon(options, ingest, error);
      throw error;
    }
  }

  /** Whether new readers may join. */
  get open(): boolean {
    if (this.#state === 'filling') return !this.#options.audience.signal.aborted;
    return typeof this.#state === 'string';
  }

  /** @throws what it failed by. */
  async whole(): Promise<void> {
    await this.ended;
    if (typeof this.#state === 'object') throw this.#state.failure;
  }

  /** The blob, or a part of it, as it comes; `leave` is called when nothing more is wanted of it. */
  read({ start = 0, end }: { start?: number; end?: number }, leave: () => void): ReadableStream<Uint8Array> {
    let at = start;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const chunk = await this.#next(at, end);
            if (chunk === undefined) {
              leave();
              return controller.close();
            }
            at += chunk.length;
            controller.enqueue(chunk);
          } catch (error) {
            leave();
            controller.error(error);
          }
        },
        cancel: leave,
      },
      { highWaterMark: 0 },
    );
  }

  async #next(at: number, end = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined> {
    for (;;) {
      if (typeof this.#state === 'object') throw this.#state.failure;
      if (at >= end) return undefined;
      if (this.#state === 'published') return await this.#stored(at, end);
      const changed = this.#changed.promise;
      const verifiedLater = Math.min(this.#ingest.offset, end) - 1;
      if (this.#state === 'filling' && verifiedLater > at) {
        const chunk = await this.#received(at);
        if (chunk.length > 0) return chunk.subarray(0, verifiedLater - at);
      } else await changed;
    }
  }

  async #received(at: number): Promise<Uint8Array> {
    const reading = firstChunk(this.#ingest.replay(at));
    this.#reading.add(reading);
    try {
      return await reading;
    } catch (error) {
      if (isNoSpace(error)) this.#full ??= error;
      throw error;
    } finally {
      this.#reading.delete(reading);
    }
  }

  async #stored(at: number, end: number): Promise<Uint8Array | undefined> {
    const { store, digest } = this.#options;
    const size = await store.size(digest);
    if (size === undefined) throw new Error(`blob ${digest} has gone`);
    const last = Math.min(end, size);
    if (at >= last) return undefined;
    return await firstChunk(store.stream(digest, { start: at, end: last }));
  }

  async #run(stream: BlobStream): Promise<void> {
    try {
      await this.#receive(stream);
      this.#state = 'closing';
      await Promise.allSettled(this.#reading);
      await this.#options.publish(this.#ingest);
      this.#state = 'published';
    } catch (error) {
      this.#state = { failure: error };
      // Asked again, the client goes to the next source.
      if (error instanceof EngineError && error.code === 'digest-mismatch') stream.refuse();
      await Promise.allSettled(this.#reading);
      await abandon(this.#options, this.#ingest, this.#full ?? error);
    } finally {
      this.#tell();
    }
  }

  async #receive({ start, body }: BlobStream): Promise<void> {
    const { audience } = this.#options;
    // A registry that ignored the range sends again what is here.
    let surplus = this.#ingest.offset - start;
    for await (const chunk of body) {
      audience.signal.throwIfAborted();
      const fresh = chunk.subarray(Math.min(surplus, chunk.length));
      surplus -= chunk.length - fresh.length;
      if (fresh.length === 0) continue;
      await this.#options.admit(this.#ingest.offset + fresh.length);
      await this.#ingest.write(fresh);
      this.#tell();
    }
    audience.signal.throwIfAborted();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** What fills the disk, or is not the blob, is of no use to the next attempt. */
const USELESS = new Set(['no-space', 'digest-mismatch', 'size-exceeded']);

async function abandon(options: BlobFillOptions, ingest: BlobIngest, error: unknown): Promise<void> {
  const useless = isNoSpace(error) || (error instanceof EngineError && USELESS.has(error.code ?? ''));
  const leftBytes = useless ? 0 : ingest.offset;
  await (leftBytes === 0 ? ingest.abort() : ingest.close());
  await options.giveUp(error, leftBytes);
}

async function firstChunk(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return value ?? new Uint8Array();
}
