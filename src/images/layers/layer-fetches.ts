import type { ContentStore } from '../../content/content-store.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import type { LayerInfo, Snapshotter } from '../../snapshots/snapshotter.ts';
import type { LayerJob, LayerProgress } from './layer-job.ts';
import type { LayerRunner } from './layer-runner.ts';

export type FetchProgress = LayerProgress | { phase: 'waiting' | 'extracting' | 'complete'; current: number };

export interface LayerFetch {
  job: Omit<LayerJob, 'staging'>;
  chainId: ChainId;
  parent: ChainId | undefined;
}

interface Work {
  controller: AbortController;
  waiters: number;
  listeners: Set<(progress: FetchProgress) => void>;
  last: FetchProgress | undefined;
  result: Promise<LayerInfo>;
}

/**
 * Layers under way. Pulls that want the same layer in the same place share one job; it is aborted once nobody waits for it. The same blob in two
 * places is downloaded once and unpacked twice.
 */
export class LayerFetches {
  readonly #content: ContentStore;
  readonly #snapshotter: Snapshotter;
  readonly #runner: LayerRunner;
  readonly #works = new Map<ChainId, Work>();
  readonly #blobs = new Map<Digest, Promise<unknown>>();

  constructor(ports: { content: ContentStore; snapshotter: Snapshotter; runner: LayerRunner }) {
    this.#content = ports.content;
    this.#snapshotter = ports.snapshotter;
    this.#runner = ports.runner;
  }

  /** The layer, if it is here whole: in its place, and as the blob that its manifest names. */
  async present({ chainId, job }: LayerFetch): Promise<LayerInfo | undefined> {
    const [layer, size] = await Promise.all([
      this.#snapshotter.layer(chainId),
      this.#content.size(job.descriptor.digest),
    ]);
    return size === job.descriptor.size ? layer : undefined;
  }

  /**
   * Bring one layer. Its parent must be here or have been asked for before.
   *
   * @throws as `runLayerJob`.
   */
  async fetch(
    request: LayerFetch,
    options: { signal: AbortSignal; progress: (progress: FetchProgress) => void },
  ): Promise<LayerInfo> {
    options.signal.throwIfAborted();
    const work = this.#join(request);
    work.waiters++;
    work.listeners.add(options.progress);
    if (work.last !== undefined) options.progress(work.last);
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(options.signal.reason);
    options.signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([work.result, aborted.promise]);
    } finally {
      options.signal.removeEventListener('abort', abort);
      work.listeners.delete(options.progress);
      if (--work.waiters === 0) await this.#abandon(work);
    }
  }

  /** Nobody waits any more: stop, and leave nothing under way behind. */
  async #abandon(work: Work): Promise<void> {
    work.controller.abort();
    await work.result.catch(() => undefined);
  }

  #join(request: LayerFetch): Work {
    const known = this.#works.get(request.chainId);
    if (known !== undefined && !known.controller.signal.aborted) return known;
    const work: Work = {
      controller: new AbortController(),
      waiters: 0,
      listeners: new Set(),
      last: undefined,
      result: Promise.resolve() as never,
    };
    const parent = request.parent === undefined ? undefined : this.#works.get(request.parent)?.result;
    work.result = this.#run(request, work, parent).finally(() => {
      if (this.#works.get(request.chainId) === work) this.#works.delete(request.chainId);
    });
    work.result.catch(() => undefined);
    this.#works.set(request.chainId, work);
    return work;
  }

  async #run(request: LayerFetch, work: Work, parent: Promise<unknown> | undefined): Promise<LayerInfo> {
    const { signal } = work.controller;
    const staging = this.#snapshotter.stage();
    try {
      const staged = await this.#oneAtATime(request.job.descriptor.digest, () =>
        this.#runner.run(
          { ...request.job, staging },
          {
            signal,
            waiting: () => tell(work, { phase: 'waiting', current: 0 }),
            progress: (progress) => tell(work, progress),
          },
        ),
      );
      await parent;
      signal.throwIfAborted();
      const { size } = request.job.descriptor;
      tell(work, { phase: 'extracting', current: size });
      const info = await this.#snapshotter.commitLayer(staged, request.parent, { signal });
      tell(work, { phase: 'complete', current: size });
      return info;
    } catch (error) {
      await this.#snapshotter.discard(staging);
      throw error;
    }
  }

  /** Two jobs for one blob would want the same ingest; the second finds it stored. */
  async #oneAtATime<T>(blob: Digest, job: () => Promise<T>): Promise<T> {
    const before = this.#blobs.get(blob) ?? Promise.resolve();
    const run = before.catch(() => undefined).then(job);
    this.#blobs.set(blob, run);
    try {
      return await run;
    } finally {
      if (this.#blobs.get(blob) === run) this.#blobs.delete(blob);
    }
  }
}

function tell(work: Work, progress: FetchProgress): void {
  work.last = progress;
  for (const listener of work.listeners) listener(progress);
}
