import { statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BuildService } from '../builder/build-service.ts';
import { filePool } from '../builder/copy/file-pool.ts';
import { rememberDigests } from '../builder/copy/remember-digests.ts';
import { CacheMounts } from '../builder/execute/cache-mounts.ts';
import type { RunPorts } from '../builder/execute/run-ports.ts';
import { runStep, shellBeforeStep } from '../builder/execute/run-step.ts';
import { withMountedChain } from '../builder/export/tree-output.ts';
import { planPool } from '../builder/plan/plan-pool.ts';
import type { DiskSpace } from '../builder/solver/cache-space.ts';
import { CacheStore } from '../builder/solver/cache-store.ts';
import { placeLayer } from '../builder/solver/place-layer.ts';
import type { CacheCollection } from '../builder/solver/prune-cache.ts';
import { SharedWork } from '../builder/solver/shared-work.ts';
import { Turnstile } from '../builder/solver/turnstile.ts';
import { FetchedSources } from '../builder/sources/fetched-sources.ts';
import { LocalContexts } from '../builder/sources/local-contexts.ts';
import type { LocalContentStore } from '../content/local-content-store.ts';
import type { ImageService } from '../images/image-service.ts';
import { runnablePlatforms } from './runnable-platforms.ts';

export interface BuilderRooms extends Omit<RunPorts, 'runnablePlatforms'> {
  dataRoot: string;
  execRoot: string;
  store: CacheStore;
  content: LocalContentStore;
  images: ImageService;
  collection: CacheCollection;
}

/** The builder on the engine's rooms. */
export async function openBuilder(rooms: BuilderRooms): Promise<BuildService> {
  const { snapshotter, content, images, logger, store } = rooms;
  const directory = join(rooms.dataRoot, 'builder');
  const runs = { ...rooms, runnablePlatforms };
  const files = rememberDigests(filePool(logger));
  const { gc, leases, registry, fetches } = images.rooms();
  const mounts = new CacheMounts({
    directory: join(directory, 'mounts'),
    store,
    withChain: async (chain, use, signal) => withMountedChain(chain, use, { ports: runs, signal }),
    logger,
  });
  const remote = await FetchedSources.open({ root: join(directory, 'remote'), files });
  const service = new BuildService({
    images,
    collection: rooms.collection,
    disk: async () => await diskSpace(rooms.dataRoot),
    contextsDirectory: join(directory, 'contexts'),
    local: new LocalContexts({
      proofFile: join(rooms.execRoot, 'build-proof'),
      directory: join(directory, 'local'),
    }),
    logger,
    planner: planPool(logger),
    solver: {
      snapshotter,
      layers: { content, snapshotter, gc, files },
      remote,
      takeLease: () => leases.take({ resumable: false }),
      holdRoots: (roots) => leases.hold(roots),
      place: (layer, parent, options) =>
        placeLayer(layer, parent, { ports: { content, registry, fetches }, ...options }),
      collectLater: (roots) => gc.collectLater(roots),
      store,
      mounts,
      runs,
      run: runStep,
      shellBeforeStep,
      shared: new SharedWork(),
      turns: new Turnstile(Math.max(2, availableParallelism())),
    },
  });
  service.keeps(remote);
  return service;
}

/** As BuildKit counts: what is reserved for root is free too. */
async function diskSpace(path: string): Promise<DiskSpace> {
  const { bsize, blocks, bfree } = await statfs(path);
  return { totalBytes: bsize * blocks, freeBytes: bsize * bfree };
}
