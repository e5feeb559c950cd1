import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import type { Logger } from '../../../errors/logger.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { BlobIngest, BlobKeeper, BlobStore, OpenBlob } from '../blob-backend.ts';
import { Audience } from './audience.ts';
import type { BlobCache } from './blob-cache.ts';
import { BlobFill } from './blob-fill.ts';
import type { CacheClaim } from './cache-claims.ts';
import { isAbsence, type Upstream, upstreamUnavailable } from './upstream.ts';

export interface BlobFetchesOptions {
  store: BlobStore;
  keeper: BlobKeeper;
  cache: BlobCache;
  upstream: Upstream;
  logger: Logger;
}

/** What is wanted, and how large a manifest says it is. */
export interface WantedBlob {
  repository: string;
  digest: Digest;
  size: number | undefined;
  /** It is about to be one that was pushed, which takes no room of the cache. */
  pushed?: boolean;
}

interface Transfer {
  audience: Audience;
  fill: Promise<BlobFill>;
}

/** Forgetting costs a transfer that breaks off. */
const MAX_OVERSIZED = 1000;

/** Blobs of the upstream: one transfer for each at a time, however many ask. */
export class BlobFetches {
  readonly #options: BlobFetchesOptions;
  readonly #transfers = new Map<Digest, Transfer>();
  /** No manifest told their sizes, and they turned out too large to be kept. */
  readonly #oversized = new Set<Digest>();
  #closed = false;

  constructor(options: BlobFetchesOptions) {
    this.#options = options;
  }

  /** `client` ends its share of the transfer. Undefined: the upstream hasn't got it. @throws RegistryRefusal 503 where it doesn't answer. */
  async open(wanted: WantedBlob, client?: AbortSignal): Promise<OpenBlob | undefined> {
    return await this.#fromUpstream(async () => {
      const joined = await this.#join(wanted, client);
      if (joined === undefined) return await this.#passOn(wanted, client);
      const { fill, leave } = joined;
      return lent(wanted.size, (range) => fill.read(range ?? {}, leave), leave);
    }, client);
  }

  /** Whether the upstream has it; nothing is kept. @throws as `open`. */
  async exists(wanted: WantedBlob, client?: AbortSignal): Promise<boolean> {
    const found = await this.#fromUpstream(async () => {
      const stream = await this.#stream(wanted, client);
      await stream.cancel();
      return true;
    }, client);
    return found === true;
  }

  /** Fetch it whole into the store. False: the upstream hasn't got it. @throws as `open`. */
  async keep(wanted: WantedBlob): Promise<boolean> {
    const kept = await this.#fromUpstream(async () => {
      const joined = await this.#join({ ...wanted, pushed: true });
      await joined?.fill.whole();
      return joined !== undefined;
    });
    return kept === true;
  }

  /** Stop what is being fetched; what came so far is kept. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { audience, fill } of this.#transfers.values()) {
      audience.end(new Error('the registry is closing'));
      await fill.then(({ ended }) => ended).catch(() => undefined);
    }
  }

  async #passOn(wanted: WantedBlob, client?: AbortSignal): Promise<OpenBlob> {
    const stream = await this.#stream(wanted, client);
    const body: OpenBlob['body'] = (range) => (range === undefined ? stream : partOf(stream, range));
    return lent(wanted.size, body, () => void stream.cancel().catch(() => undefined));
  }

  async #stream(
    { repository, digest, size }: WantedBlob,
    client: AbortSignal = new AbortController().signal,
  ): Promise<ReadableStream<Uint8Array>> {
    const known = size === undefined ? {} : { size };
    return (await this.#options.upstream.blob(repository, digest, { signal: client, ...known })).body;
  }

  /** Undefined: it is not to be kept. */
  async #join(
    wanted: WantedBlob,
    client?: AbortSignal,
  ): Promise<{ fill: BlobFill; leave: () => void } | undefined> {
    const { digest } = wanted;
    const running = this.#transfers.get(digest);
    const transfer = running ?? this.#start(wanted);
    if (transfer === undefined) return undefined;
    const leave = transfer.audience.signal.aborted ? undefined : transfer.audience.join(client);
    const fill = await transfer.fill.catch((error: unknown) => {
      leave?.();
      if (leave === undefined) return undefined;
      throw error;
    });
    if (fill !== undefined && leave !== undefined && (running === undefined || fill.open))
      return { fill, leave };
    leave?.();
    await fill?.ended;
    if (this.#transfers.get(digest) === transfer) this.#transfers.delete(digest);
    return await this.#join(wanted, client);
  }

  #start(wanted: WantedBlob): Transfer | undefined {
    const { digest, size, pushed = false } = wanted;
    if (this.#closed) throw new Error('the registry is closing');
    if (size === undefined && this.#oversized.has(digest)) return undefined;
    const claim = this.#options.cache.claim(digest, size, pushed);
    if (claim === undefined) return undefined;
    const audience = new Audience();
    const transfer = { audience, fill: this.#begin(wanted, { audience, claim }) };
    this.#transfers.set(digest, transfer);
    const forget = () => {
      claim.end();
      if (this.#transfers.get(digest) === transfer) this.#transfers.delete(digest);
    };
    void transfer.fill.then((fill) => fill.ended).then(forget, forget);
    return transfer;
  }

  async #begin(
    wanted: WantedBlob,
    { audience, claim }: { audience: Audience; claim: CacheClaim },
  ): Promise<BlobFill> {
    const { store, upstream, cache } = this.#options;
    await cache.trim();
    return await BlobFill.begin({
      ...wanted,
      store,
      upstream,
      audience,
      admit: async (bytes) => {
        if (claim.grow(bytes)) await cache.trim();
      },
      publish: (ingest) => this.#publish(wanted, ingest, claim),
      giveUp: (error, leftBytes) => this.#giveUp(wanted, { error, leftBytes, claim }),
    });
  }

  async #publish({ repository, digest }: WantedBlob, ingest: BlobIngest, claim: CacheClaim): Promise<void> {
    const { keeper, cache } = this.#options;
    const hold = await keeper.hold([digest]);
    try {
      const length = ingest.offset;
      await ingest.commit({ digest });
      await cache.add(repository, digest, length);
    } catch (error) {
      this.#warn('cannot keep a blob', error, { repository, digest });
      throw error;
    } finally {
      hold.release();
    }
    claim.end();
    await cache.trim();
  }

  async #giveUp(
    { repository, digest, size }: WantedBlob,
    { error, leftBytes, claim }: { error: unknown; leftBytes: number; claim: CacheClaim },
  ): Promise<void> {
    const { cache } = this.#options;
    claim.end();
    if (size === undefined && error instanceof EngineError && error.code === 'size-exceeded') {
      if (this.#oversized.size >= MAX_OVERSIZED) this.#oversized.clear();
      this.#oversized.add(digest);
    }
    try {
      if (leftBytes > 0) await cache.addPartial(repository, digest, leftBytes);
      await cache.trim();
    } catch (failure) {
      this.#warn('cannot make room', failure, { repository, digest });
    }
  }

  async #fromUpstream<T>(ask: () => Promise<T>, client?: AbortSignal): Promise<T | undefined> {
    client?.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (isAbsence(error)) return undefined;
      if (client?.aborted === true) throw error;
      this.#warn('the upstream does not answer', error);
      throw upstreamUnavailable();
    }
  }

  #warn(what: string, error: unknown, about: { repository?: string; digest?: Digest } = {}): void {
    this.#options.logger.warn(`pull-through cache: ${what}`, { ...about, reason: messageOf(error) });
  }
}

/** A blob whose transfer is let go unless its body is taken. */
function lent(size: number | undefined, body: OpenBlob['body'], letGo: () => void): OpenBlob {
  let taken = false;
  return {
    size,
    body: (range) => {
      taken = true;
      return body(range);
    },
    close: () => {
      if (!taken) letGo();
    },
  };
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
