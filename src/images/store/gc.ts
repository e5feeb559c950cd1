import type { ContentStore } from '../../content/content-store.ts';
import { kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import type { LayerInfo, Snapshotter } from '../../snapshots/snapshotter.ts';
import { blobsOf, type ImageRecord } from './image-record.ts';
import type { ImageStore } from './image-store.ts';
import type { ImageUsage } from './image-usage.ts';
import type { GcRoots, Lease, LeaseStore } from './lease-store.ts';

export interface GcPorts {
  content: ContentStore;
  snapshotter: Snapshotter;
  store: ImageStore;
  leases: LeaseStore;
  usage: ImageUsage;
  logger: Logger;
}

/** What collections have done. */
export interface GcTotals {
  collections: number;
  freedBytes: number;
  seconds: number;
}

/** An interrupted download waits so long to be resumed. */
const INGEST_AGE_MS = 24 * 3600_000;

/**
 * Mark and sweep over blobs and layers. Roots are images, leases and containers. One collection at a time; rows go before files, so that what a crash
 * leaves is a file without a row, which the next full collection removes.
 */
export class ImageGc {
  readonly #ports: GcPorts;
  readonly #totals: GcTotals = { collections: 0, freedBytes: 0, seconds: 0 };
  /** What a collection left alone for a lease's sake only: it goes when that ends. */
  readonly #owed: RootSets = { blobs: new Set(), chains: new Set() };
  #last: Promise<unknown> = Promise.resolve();

  constructor(ports: GcPorts) {
    this.#ports = ports;
    ports.leases.onEnd((held) => this.#collectOwed(held));
  }

  /** Since this process' start. */
  get totals(): Readonly<GcTotals> {
    return this.#totals;
  }

  /** Remove everything that nothing refers to. Resolves to the bytes that were freed. */
  async collectAll(): Promise<number> {
    return await this.exclusively(async () => {
      const blobs: Digest[] = [];
      for await (const { digest } of this.#ports.content.list()) blobs.push(digest);
      const layers = await this.#ports.snapshotter.layers();
      const freed = await this.#collect({ blobs, chains: layers.map(({ chainId }) => chainId) });
      await this.#ports.content.sweepIngests(INGEST_AGE_MS);
      return freed;
    });
  }

  /** The same among these alone: a handful of look-ups and unlinks, whatever else is stored. */
  async collect(candidates: GcRoots): Promise<number> {
    return await this.exclusively(() => this.#collect(candidates));
  }

  /** The same, after the caller has gone on: unlinking gigabytes takes a while. A failure is for the next full collection. */
  collectLater(candidates: GcRoots): void {
    this.collect(candidates).catch((error: unknown) => {
      this.#ports.logger.warn('cannot remove what an image left', { reason: messageOf(error) });
    });
  }

  /** End a lease: what no image came to hold goes. */
  async letGo(lease: Lease): Promise<void> {
    const held = lease.roots();
    await lease.release();
    this.collectLater(held);
  }

  /**
   * Wait for the collections that were asked for. Whoever has added his roots to a lease before, and looks what is here after, can rely on what he sees.
   */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Run while no collection does: for what is stored before it can be rooted. */
  async exclusively<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#last.then(action, action);
    this.#last = run.catch(() => undefined);
    return await run;
  }

  async #collect(candidates: GcRoots): Promise<number> {
    const startMs = performance.now();
    const freed = await this.#sweep(candidates);
    this.#totals.collections++;
    this.#totals.freedBytes += freed;
    this.#totals.seconds += (performance.now() - startMs) / 1000;
    return freed;
  }

  async #sweep(candidates: GcRoots): Promise<number> {
    // Leases first: what holds them is an image before they end.
    const leased = await this.#leased();
    const marked = await this.#mark();
    const unmarked = without(candidates, marked);
    await this.#owe(within(unmarked, leased));
    const { blobs, chains } = without(unmarked, leased);
    await this.#ports.store.forgetLayerBlobs(blobs);
    const [sizes, layers] = await Promise.all([
      this.#removeBlobs(new Set(blobs)),
      this.#removeLayers(new Set(chains)),
    ]);
    // A blob that isn't compressed is one file with the layer's tar.
    for (const { diffId, tarSize } of layers) sizes.set(diffId, tarSize);
    return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async #mark(): Promise<RootSets> {
    const { store, usage } = this.#ports;
    const roots = [usage.roots(), ...store.images().map(rootsOf)];
    const chains = new Set(roots.flatMap((root) => root.chains));
    for (const chain of usage.roots().chains) await this.#markParents(chain, chains);
    return { blobs: new Set(roots.flatMap((root) => root.blobs)), chains };
  }

  async #leased(): Promise<RootSets> {
    const { blobs, chains } = await this.#ports.leases.roots();
    return { blobs: new Set(blobs), chains: new Set(chains) };
  }

  /** A lease that has ended since it was looked at tells nobody any more. */
  async #owe(left: GcRoots): Promise<void> {
    if (left.blobs.length + left.chains.length === 0) return;
    for (const blob of left.blobs) this.#owed.blobs.add(blob);
    for (const chain of left.chains) this.#owed.chains.add(chain);
    this.#collectOwed(without(left, await this.#leased()));
  }

  #collectOwed(held: GcRoots): void {
    const blobs = held.blobs.filter((blob) => this.#owed.blobs.delete(blob));
    const chains = held.chains.filter((chain) => this.#owed.chains.delete(chain));
    if (blobs.length + chains.length > 0) this.collectLater({ blobs, chains });
  }

  async #markParents(chain: ChainId, marked: Set<ChainId>): Promise<void> {
    let parent = (await this.#ports.snapshotter.layer(chain))?.parent;
    while (parent !== undefined && !marked.has(parent)) {
      marked.add(parent);
      parent = (await this.#ports.snapshotter.layer(parent))?.parent;
    }
  }

  /** Resolves to what went. */
  async #removeBlobs(blobs: ReadonlySet<Digest>): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    await Promise.all(
      [...blobs].map(async (blob) => {
        sizes.set(blob, (await this.#ports.content.size(blob)) ?? 0);
        await this.#ports.content.remove(blob);
        await this.#ports.content.forgetIngest(blob);
      }),
    );
    return sizes;
  }

  /** Resolves to what went. */
  async #removeLayers(chains: ReadonlySet<ChainId>): Promise<LayerInfo[]> {
    const { snapshotter } = this.#ports;
    const found = await Promise.all([...chains].map((chain) => snapshotter.layer(chain)));
    const removed: LayerInfo[] = [];
    for (const layer of topFirst(found.filter((layer) => layer !== undefined))) {
      try {
        await snapshotter.removeLayer(layer.chainId);
        removed.push(layer);
      } catch (error) {
        // A snapshot or mount came in between: the next collection finds it again.
        if (kindOf(error) !== 'conflict') throw error;
      }
    }
    return removed;
  }
}

interface RootSets {
  blobs: Set<Digest>;
  chains: Set<ChainId>;
}

function within({ blobs, chains }: GcRoots, sets: RootSets): GcRoots {
  return {
    blobs: blobs.filter((blob) => sets.blobs.has(blob)),
    chains: chains.filter((chain) => sets.chains.has(chain)),
  };
}

function without({ blobs, chains }: GcRoots, sets: RootSets): GcRoots {
  return {
    blobs: blobs.filter((blob) => !sets.blobs.has(blob)),
    chains: chains.filter((chain) => !sets.chains.has(chain)),
  };
}

/** What an image holds on to. */
export function rootsOf(image: ImageRecord): GcRoots {
  return { blobs: blobsOf(image), chains: image.manifests.flatMap(({ chainIds }) => chainIds) };
}

/** Children before their parents. */
function topFirst(layers: LayerInfo[]): LayerInfo[] {
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  const depth = (layer: LayerInfo): number => {
    let count = 0;
    for (
      let parent = layer.parent;
      parent !== undefined && count <= layers.length;
      parent = byId.get(parent)?.parent
    )
      count++;
    return count;
  };
  return layers
    .map((layer) => ({ layer, depth: depth(layer) }))
    .sort((a, b) => b.depth - a.depth)
    .map(({ layer }) => layer);
}
