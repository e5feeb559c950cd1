import { rm } from 'node:fs/promises';
import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { ImageService } from '../images/image-service.ts';
import { rootsOf } from '../images/store/gc.ts';
import type { GcRoots } from '../images/store/lease-store.ts';
import type { BuildBackend, PostedBuild } from './build-backend.ts';
import { atLines } from './build-error.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildRequest } from './build-request.ts';
import type {
  BuildCachePrune,
  BuildCacheRecord,
  BuildResult,
  CachePolicy,
  CacheSelection,
} from './builder.ts';
import { LayerBlobs } from './export/layer-blobs.ts';
import { KeptSources, type SourceFolders } from './kept-sources.ts';
import type { PlanRunner } from './plan/plan-job.ts';
import { type PostedContext, PostedSession } from './posted-session.ts';
import { type ReadableSource, type ReadSourceOptions, readSource, type SourceFiles } from './read-source.ts';
import { runBuild } from './run-build.ts';
import type { SolverPorts } from './solver/build-ports.ts';
import type { DiskSpace } from './solver/cache-space.ts';
import { type CacheCollection, CachePruner } from './solver/prune-cache.ts';
import { ArchiveContext } from './sources/archive-context.ts';
import type { LocalContexts } from './sources/local-contexts.ts';

export interface BuildServiceOptions {
  images: ImageService;
  solver: SolverPorts;
  planner: PlanRunner;
  collection: CacheCollection;
  /** Of the file system that the cache lies on. */
  disk: () => Promise<DiskSpace>;
  /** For contexts that are being built; emptied at start. */
  contextsDirectory: string;
  /** Contexts that are read where they lie. */
  local: LocalContexts;
  logger: Logger;
}

/** Builds by Dockerfiles. */
export class BuildService implements BuildBackend {
  readonly #options: BuildServiceOptions;
  readonly #pruner: CachePruner;
  readonly #blobs: LayerBlobs;
  readonly #sources: KeptSources;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: BuildServiceOptions) {
    const { solver, images, collection, disk } = options;
    this.#options = options;
    const { content, gc, store } = images.rooms();
    const directory = options.contextsDirectory;
    this.#blobs = new LayerBlobs({ content, gc, files: solver.layers.files, directory });
    this.#sources = new KeptSources(options.logger);
    const sources = this.#sources;
    this.#pruner = new CachePruner({
      solver,
      collection,
      sources,
      disk,
      imageChains: () => new Set(store.images().flatMap((image) => rootsOf(image).chains)),
      collect: (roots) => images.collect(roots),
    });
  }

  async build(
    request: BuildRequest,
    options: { signal: AbortSignal; watch: BuildWatcher },
  ): Promise<BuildResult> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const building = this.#run(request, { watch: options.watch, signal });
    this.#running.add(building);
    try {
      return await building;
    } catch (error) {
      throw atLines(error, undefined);
    } finally {
      this.#running.delete(building);
      this.#pruner.keepLimits().catch((error: unknown) => {
        this.#options.logger.warn('cannot keep the build cache in its limits', { error: String(error) });
      });
    }
  }

  async #run(
    request: BuildRequest,
    options: { signal: AbortSignal; watch: BuildWatcher },
  ): Promise<BuildResult> {
    const { images, solver, planner } = this.#options;
    planner.prepare();
    return await runBuild(
      request,
      { images, rooms: images.rooms(), solver, planner, blobs: this.#blobs },
      options,
    );
  }

  /** Contexts that are kept elsewhere, and what was fetched, are part of the cache from now on. */
  keeps(folders: SourceFolders): void {
    this.#sources.serve(folders);
  }

  async cache(selection: CacheSelection = {}): Promise<BuildCacheRecord[]> {
    return await this.#pruner.list(selection);
  }

  async pruneCache(
    prune: BuildCachePrune,
    options: { signal: AbortSignal; pruned?: (record: BuildCacheRecord) => void },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    return await this.#pruner.prune(prune, options);
  }

  async cachePolicies(): Promise<readonly CachePolicy[]> {
    return await this.#pruner.policies();
  }

  localProof(): Promise<string> {
    return this.#options.local.offer();
  }

  async read(source: ReadableSource, options: ReadSourceOptions): Promise<SourceFiles> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    return await readSource(source, this.#options, { ...options, signal });
  }

  async receive(posted: PostedBuild, options: { signal: AbortSignal }): Promise<PostedSession> {
    this.#options.planner.prepare();
    const contexts = new Map<string, PostedContext>();
    const ports = { directory: this.#options.contextsDirectory, files: this.#options.solver.layers.files };
    try {
      for await (const [name, body] of posted.contexts)
        contexts.set(
          name,
          'proof' in body
            ? await this.#options.local.open(body)
            : await ArchiveContext.receive(body, ports, options),
        );
      return new PostedSession({ ...posted, contexts });
    } catch (error) {
      await Promise.all([...contexts.values()].map((context) => context.close()));
      throw error;
    }
  }

  /** What a collection of images must leave alone. */
  roots(): GcRoots {
    return this.#options.solver.store.roots();
  }

  /** What a dead daemon left of builds and containers' recovery does not know. */
  async recover(): Promise<void> {
    await rm(this.#options.contextsDirectory, { recursive: true, force: true });
    await this.#options.solver.mounts.recover();
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new EngineError('unavailable', 'the engine is shutting down'));
    await Promise.allSettled(this.#running);
    await this.#options.solver.layers.files.close();
    await this.#options.planner.close();
    await this.#options.solver.store.close();
    await this.#options.solver.mounts.close();
  }
}
