import { messageOf } from '../../../errors/engine-error.ts';
import type { Logger } from '../../../errors/logger.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { BlobIngest, BlobKeeper, BlobStore, OpenBlob } from '../blob-backend.ts';
import type { BlobCache } from './blob-cache.ts';
import { BlobFill } from './blob-fill.ts';
import { isAbsence, type Upstream, upstreamUnavailable } from './upstream.ts';

export interface BlobFetchesOptions {
  store: BlobStore;
  keeper: BlobKeeper;
  cache: BlobCache;
  upstream: Upstream;
  /** A blob over this is passed on and not kept. */
  maxBytes: number;
  logger: Logger;
}

/** What is wanted, and how large a manifest says it is. */
export interface WantedBlob {
  repository: string;
  digest: Digest;
  size: number | undefined;
}

/** Blobs of the upstream: one transfer for each at a time, however many ask. */
export class BlobFetches {
  readonly #options: BlobFetchesOptions;
  readonly #fills = new Map<Digest, Promise<BlobFill>>();
  #closed = false;

  constructor(options: BlobFetchesOptions) {
    this.#options = options;
  }

  /** Undefined: the upstream hasn't got it. @throws RegistryRefusal 503 where it doesn't answer. */
  async open(wanted: WantedBlob): Promise<OpenBlob | undefined> {
    const { size } = wanted;
    if (size !== undefined && size > this.#options.maxBytes) return await this.#passOn(wanted);
    const fill = await this.#fromUpstream(() => this.#fill(wanted));
    return fill === undefined ? undefined : { size, body: (range) => fill.read(range) };
  }

  /** Whether the upstream has it; nothing is kept. @throws as `open`. */
  async exists(wanted: WantedBlob): Promise<boolean> {
    const found = await this.#fromUpstream(async () => {
      const stream = await this.#stream(wanted);
      await stream.cancel();
      return true;
    });
    return found === true;
  }

  /** Fetch it whole into the store. False: the upstream hasn't got it. @throws as `open`. */
  async keep(wanted: WantedBlob): Promise<boolean> {
    const kept = await this.#fromUpstream(async () => {
      await (await this.#fill(wanted)).whole();
      return true;
    });
    return kept === true;
  }

  /** Stop what is being fetched; what came so far is kept. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const begun of this.#fills.values()) {
      const fill = await begun.catch(() => undefined);
      fill?.stop(new Error('the registry is closing'));
      await fill?.ended;
    }
  }

  async #passOn(wanted: WantedBlob): Promise<OpenBlob | undefined> {
    const stream = await this.#fromUpstream(() => this.#stream(wanted));
    return stream === undefined
      ? undefined
      : { size: wanted.size, body: (range) => (range === undefined ? stream : partOf(stream, range)) };
  }

  async #stream({ repository, digest, size }: WantedBlob): Promise<ReadableStream<Uint8Array>> {
    const known = size === undefined ? {} : { size };
    const signal = new AbortController().signal;
    return (await this.#options.upstream.blob(repository, digest, { signal, ...known })).body;
  }

  async #fill(wanted: WantedBlob): Promise<BlobFill> {
    const { digest } = wanted;
    const running = this.#fills.get(digest);
    if (running !== undefined) {
      const fill = await running;
      if (fill.open) return fill;
      await fill.ended;
      if (this.#fills.get(digest) === running) this.#fills.delete(digest);
      return await this.#fill(wanted);
    }
    if (this.#closed) throw new Error('the registry is closing');
    const begun = this.#begin(wanted);
    this.#fills.set(digest, begun);
    const forget = () => this.#fills.get(digest) === begun && this.#fills.delete(digest);
    void begun.then((fill) => fill.ended).then(forget, forget);
    return await begun;
  }

  async #begin({ repository, digest, size }: WantedBlob): Promise<BlobFill> {
    const { store, upstream, cache, keeper, logger } = this.#options;
    await cache.trim(size ?? 0);
    const publish = async (ingest: BlobIngest) => {
      const hold = await keeper.hold([digest]);
      try {
        const length = ingest.offset;
        await ingest.commit({ digest });
        await cache.add(repository, digest, length);
      } catch (error) {
        const reason = messageOf(error);
        logger.warn('pull-through cache: cannot keep a blob', { repository, digest, reason });
        throw error;
      } finally {
        hold.release();
      }
      await cache.trim();
    };
    return await BlobFill.begin({ store, upstream, repository, digest, size, publish });
  }

  async #fromUpstream<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (isAbsence(error)) return undefined;
      const reason = messageOf(error);
      this.#options.logger.warn('pull-through cache: the upstream does not answer', { reason });
      throw upstreamUnavailable();
    }
  }
}

/** A part of a stream that can't be asked for a part. */
function partOf(
  body: ReadableStream<Uint8Array>,
  range: { start: number; end: number },
): ReadableStream<Uint8Array> {
  let at = 0;
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const part = chunk.subarray(Math.max(range.start - at, 0), Math.max(range.end - at, 0));
        at += chunk.length;
        if (part.length > 0) controller.enqueue(part);
        if (at >= range.end) controller.terminate();
      },
    }),
  );
}
