import { messageOf } from '../../../errors/engine-error.ts';
import type { Logger } from '../../../errors/logger.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../../oci/digest.ts';
import type {
  BlobBackend,
  BlobIngest,
  BlobKeeper,
  BlobStore,
  BlobUpload,
  FoundManifest,
  OpenBlob,
  StoredManifest,
} from '../blob-backend.ts';
import { describe, linksOf } from '../manifest.ts';
import type { RepositoryIndex } from '../repository-index.ts';
import { StoreBlobBackend, storedBody } from '../store-blob-backend.ts';
import type { BlobCache } from './blob-cache.ts';
import { BlobFill } from './blob-fill.ts';
import { isAbsence, type Upstream, upstreamUnavailable } from './upstream.ts';

export interface ProxyBackendOptions {
  store: BlobStore;
  keeper: BlobKeeper;
  /** What was pushed here: comes first, and is never fetched. */
  pushed: StoreBlobBackend;
  index: RepositoryIndex;
  cache: BlobCache;
  upstream: Upstream;
  /** A blob over this is passed on and not kept. */
  maxBytes: number;
  /** For so long a tag is believed without asking again. */
  freshMs: number;
  logger: Logger;
}

/**
 * A pull-through cache: what isn't here is asked of the upstream, sent on while it is stored, and kept within a limit. Tags are checked again after a while;
 * where the upstream doesn't answer, what is here serves, and says that it may be old.
 */
export class ProxyBackend implements BlobBackend {
  readonly #options: ProxyBackendOptions;
  readonly #cached: StoreBlobBackend;
  readonly #fills = new Map<Digest, Promise<BlobFill>>();
  readonly #asked = new Map<string, Promise<FoundManifest | undefined>>();
  /** When a tag was last heard of from the upstream. */
  readonly #checkedMs = new Map<string, number>();
  readonly #sizes = new Map<string, ReadonlyMap<Digest, number>>();
  readonly #closing = new AbortController();

  constructor(options: ProxyBackendOptions) {
    this.#options = options;
    this.#cached = new StoreBlobBackend(options);
  }

  async openBlob(
    repository: string,
    digest: Digest,
    { peek = false }: { peek?: boolean } = {},
  ): Promise<OpenBlob | undefined> {
    const { pushed, store, upstream } = this.#options;
    const here =
      (await pushed.openBlob(repository, digest)) ?? (await this.#cached.openBlob(repository, digest));
    if (here !== undefined) return here;
    const size = await this.#sizeOf(repository, digest);
    if (await this.#adopt(repository, digest, size))
      return { size, body: (range) => storedBody(store, digest, range) };
    if (peek && size !== undefined) return { size, body: () => new Blob() };
    return await this.#fromUpstream(async () => {
      if (!peek && (size === undefined || size <= this.#options.maxBytes)) {
        const fill = await this.#fill(repository, digest, size);
        return { size, body: (range) => fill.read(range) };
      }
      const controller = new AbortController();
      const known = size === undefined ? {} : { size };
      const stream = await upstream.blob(repository, digest, { signal: controller.signal, ...known });
      if (peek) await stream.body.cancel();
      const passOn = (range?: { start: number; end: number }) => partOf(stream.body, range);
      return { size, body: peek ? () => new Blob() : passOn };
    });
  }

  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    const { pushed } = this.#options;
    if (await pushed.hasBlob(repository, digest)) return true;
    // A client was told that it need not upload what the upstream has.
    if (!(await this.#cached.hasBlob(repository, digest))) {
      const size = await this.#sizeOf(repository, digest);
      if (size === undefined) return false;
      await this.#fromUpstream(async () => (await this.#fill(repository, digest, size)).whole());
    }
    return await pushed.adoptBlob(repository, digest);
  }

  upload(id: string): Promise<BlobUpload> {
    return this.#options.pushed.upload(id);
  }

  async mountBlob(repository: string, digest: Digest, from: string | undefined): Promise<boolean> {
    const { pushed, index } = this.#options;
    if (await pushed.mountBlob(repository, digest, from)) return true;
    const owner = from ?? index.ownerOf(digest);
    return owner !== undefined && index.has(owner, digest) && (await pushed.adoptBlob(repository, digest));
  }

  putManifest(repository: string, manifest: StoredManifest & { tags: readonly string[] }): Promise<void> {
    return this.#options.pushed.putManifest(repository, manifest);
  }

  async manifest(repository: string, reference: string): Promise<FoundManifest | undefined> {
    const pushed = await this.#options.pushed.manifest(repository, reference);
    if (pushed !== undefined) return pushed;
    const key = `${repository} ${reference}`;
    const asked = this.#asked.get(key) ?? this.#ask(repository, reference);
    this.#asked.set(key, asked);
    try {
      const found = await asked;
      if (found !== undefined) this.#learn(repository, found.bytes);
      return found;
    } finally {
      if (this.#asked.get(key) === asked) this.#asked.delete(key);
    }
  }

  async deleteManifest(repository: string, reference: string): Promise<boolean> {
    if (await this.#options.pushed.deleteManifest(repository, reference)) return true;
    return await this.#cached.deleteManifest(repository, reference);
  }

  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    if (await this.#options.pushed.deleteBlob(repository, digest)) return true;
    return await this.#cached.deleteBlob(repository, digest);
  }

  /** What is here: the upstream's other tags are not listed. */
  async tags(repository: string): Promise<string[] | undefined> {
    const [pushed, cached] = await Promise.all([
      this.#options.pushed.tags(repository),
      this.#cached.tags(repository),
    ]);
    return pushed === undefined ? cached : [...new Set([...pushed, ...(cached ?? [])])];
  }

  async repositories(): Promise<string[]> {
    const [pushed, cached] = await Promise.all([
      this.#options.pushed.repositories(),
      this.#cached.repositories(),
    ]);
    return [...new Set([...pushed, ...cached])];
  }

  async referrers(repository: string, subject: Digest): Promise<Descriptor[]> {
    const [pushed, cached] = await Promise.all([
      this.#options.pushed.referrers(repository, subject),
      this.#cached.referrers(repository, subject),
    ]);
    const digests = new Set(pushed.map(({ digest }) => digest));
    return [...pushed, ...cached.filter(({ digest }) => !digests.has(digest))];
  }

  /** Stop what is being fetched; what came so far is kept. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the registry is closing'));
    for (const begun of this.#fills.values()) {
      const fill = await begun.catch(() => undefined);
      fill?.stop(this.#closing.signal.reason);
      await fill?.ended;
    }
  }

  async #ask(repository: string, reference: string): Promise<FoundManifest | undefined> {
    const known = await this.#cached.manifest(repository, reference);
    if (known !== undefined && (isDigest(reference) || this.#isFresh(repository, reference))) return known;
    try {
      if (known !== undefined && (await this.#isStill(repository, reference, known.descriptor.digest)))
        return known;
      return await this.#fetch(repository, reference);
    } catch (error) {
      if (isAbsence(error)) {
        if (!isDigest(reference)) await this.#cached.deleteManifest(repository, reference);
        return undefined;
      }
      this.#options.logger.warn('pull-through cache: the upstream does not answer', {
        repository,
        reference,
        reason: messageOf(error),
      });
      if (known === undefined) throw upstreamUnavailable();
      return { ...known, stale: true };
    }
  }

  #isFresh(repository: string, tag: string): boolean {
    const checked = this.#checkedMs.get(`${repository} ${tag}`);
    return checked !== undefined && Date.now() - checked < this.#options.freshMs;
  }

  async #isStill(repository: string, tag: string, digest: Digest): Promise<boolean> {
    const current = await this.#options.upstream.head(repository, tag, this.#closing.signal);
    if (current !== digest) return false;
    this.#noteChecked(repository, tag);
    return true;
  }

  async #fetch(repository: string, reference: string): Promise<FoundManifest> {
    const { upstream, cache } = this.#options;
    const { descriptor, bytes } = await upstream.manifest(repository, reference, this.#closing.signal);
    const stored = describe(bytes, descriptor.mediaType);
    const tags = isDigest(reference) ? [] : [reference];
    cache.noteSize(stored.descriptor.digest, bytes.length);
    await this.#cached.putManifest(repository, { ...stored, tags });
    if (!isDigest(reference)) this.#noteChecked(repository, reference);
    await cache.trim();
    return { descriptor: stored.descriptor, bytes };
  }

  #noteChecked(repository: string, tag: string): void {
    // Forgetting costs a HEAD.
    if (this.#checkedMs.size > 100_000) this.#checkedMs.clear();
    this.#checkedMs.set(`${repository} ${tag}`, Date.now());
  }

  /** The sizes of what a manifest names, so that its blobs can be announced before they are fetched. */
  #learn(repository: string, bytes: Uint8Array): void {
    const known = new Map(this.#sizes.get(repository));
    for (const { digest, size } of linksOf(bytes).blobs) if (size !== undefined) known.set(digest, size);
    if (this.#sizes.size > 10_000) this.#sizes.clear();
    this.#sizes.set(repository, known);
  }

  /** As a manifest that was fetched for this repository says; undefined where none names the blob. */
  async #sizeOf(repository: string, digest: Digest): Promise<number | undefined> {
    if (!this.#sizes.has(repository)) {
      this.#sizes.set(repository, new Map());
      for (const manifest of this.#options.index.repository(repository)?.manifests.keys() ?? []) {
        const found = await this.#cached.manifest(repository, manifest);
        if (found !== undefined) this.#learn(repository, found.bytes);
      }
    }
    return this.#sizes.get(repository)?.get(digest);
  }

  /** Take what is in the store already, from another repository or from the engine's own pulls, if a manifest of this repository names it. */
  async #adopt(repository: string, digest: Digest, size: number | undefined): Promise<boolean> {
    const { store, keeper, cache } = this.#options;
    if (size === undefined || (await store.size(digest)) !== size) return false;
    const hold = await keeper.hold([digest]);
    try {
      if ((await store.size(digest)) !== size) return false;
      await cache.add(repository, digest, size);
      return true;
    } finally {
      hold.release();
    }
  }

  /** One transfer per blob, however many ask. */
  async #fill(repository: string, digest: Digest, size: number | undefined): Promise<BlobFill> {
    const running = this.#fills.get(digest);
    if (running !== undefined) {
      const fill = await running;
      if (fill.open) return fill;
      await fill.ended;
      if (this.#fills.get(digest) === running) this.#fills.delete(digest);
      return await this.#fill(repository, digest, size);
    }
    this.#closing.signal.throwIfAborted();
    const begun = this.#begin(repository, digest, size);
    this.#fills.set(digest, begun);
    const forget = () => this.#fills.get(digest) === begun && this.#fills.delete(digest);
    void begun.then((fill) => fill.ended).then(forget, forget);
    return await begun;
  }

  async #begin(repository: string, digest: Digest, size: number | undefined): Promise<BlobFill> {
    const { store, upstream, cache, keeper, logger } = this.#options;
    await cache.trim(size ?? 0);
    const publish = async (ingest: BlobIngest) => {
      const hold = await keeper.hold([digest]);
      try {
        const length = ingest.offset;
        await ingest.commit({ digest });
        await cache.add(repository, digest, length);
      } catch (error) {
        logger.warn('pull-through cache: cannot keep a blob', {
          repository,
          digest,
          reason: messageOf(error),
        });
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
      this.#options.logger.warn('pull-through cache: the upstream does not answer', {
        reason: messageOf(error),
      });
      throw upstreamUnavailable();
    }
  }
}

/** A part of a stream that can't be asked for a part. */
function partOf(
  body: ReadableStream<Uint8Array>,
  range: { start: number; end: number } | undefined,
): ReadableStream<Uint8Array> {
  if (range === undefined) return body;
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
