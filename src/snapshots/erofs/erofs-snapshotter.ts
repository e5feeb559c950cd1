import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Tree } from '../../archive/tree.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId } from '../../oci/digest.ts';
import { spreadDirectories } from '../../sys/spread-directories.ts';
import { SizeLimits } from '../size-limits.ts';
import type {
  LayerInfo,
  LayerPlace,
  LayerStaging,
  MountOptions,
  PrepareOptions,
  SnapshotKey,
  Snapshotter,
  SnapshotView,
  StagedLayer,
} from '../snapshotter.ts';
import { storageError } from '../storage-error.ts';
import { checkSnapshotKey, ErofsLayout } from './erofs-layout.ts';
import { settleImpliedDirectories } from './implied-attributes.ts';
import { type LayerRecord, LayerStore } from './layer-store.ts';
import { openStackTree } from './layer-trees.ts';
import { LowerMounts } from './lower-mounts.ts';
import { SharedLock } from './shared-lock.ts';
import { WritableStore } from './writable-store.ts';

export interface ErofsSnapshotterOptions {
  /** A directory of our own; made when absent. Mounts lie below it, so it belongs in a private mount. */
  root: string;
  /** Mount layers through loop devices, as on kernels that can't mount files; for tests. */
  byLoop?: boolean;
  logger?: Logger;
}

/**
 * Layers are never unpacked: each is its tar and a small EROFS index that points into it, mounted as they are and stacked by overlayfs.
 */
export class ErofsSnapshotter implements Snapshotter {
  readonly driver = 'erofs';
  readonly #layout: ErofsLayout;
  readonly #layers: LayerStore;
  readonly #writable: WritableStore;
  readonly #mounts: LowerMounts;
  readonly #logger: Logger;
  /** Stages of this instance are told from those of one that died. */
  readonly #instance = randomBytes(6).toString('hex');
  #stages = 0;
  /** Removals keep away from all that relies on what is there. */
  readonly #lock = new SharedLock();
  /** Files of what was removed, on their way out. */
  readonly #removals = new Set<Promise<void>>();

  constructor({ root, byLoop = false, logger = silentLogger }: ErofsSnapshotterOptions) {
    this.#layout = new ErofsLayout(root);
    for (const directory of this.#layout.directories) mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Snapshots are made there.
    spreadDirectories(this.#layout.trash);
    this.#logger = logger;
    this.#layers = new LayerStore(this.#layout, logger);
    const limits = new SizeLimits(root);
    this.#writable = new WritableStore(this.#layout, limits);
    this.#mounts = new LowerMounts(this.#layout, { limits, byLoop });
  }

  stage(): LayerStaging {
    const directory = join(this.#layout.staging, `${this.#instance}-${++this.#stages}`);
    return { driver: 'erofs', directory };
  }

  async commitLayer(
    staged: StagedLayer,
    parent: ChainId | undefined,
    { signal }: { signal: AbortSignal },
  ): Promise<LayerInfo> {
    return this.#adding(async () => {
      signal.throwIfAborted();
      const stack = parent === undefined ? [] : await this.#layers.stack(parent);
      const chainId = chainIdOn(parent, staged.diffId);
      let record = await this.#layers.find(chainId);
      if (record === undefined) {
        await settleImpliedDirectories(staged, openStackTree(this.#layout, stack));
        signal.throwIfAborted();
        record = await this.#layers.publish(staged, parent);
      }
      await this.discard(staged.staging);
      return infoOf(record);
    });
  }

  async discard(staging: LayerStaging): Promise<void> {
    if (dirname(staging.directory) !== this.#layout.staging || basename(staging.directory) === '..')
      throw new EngineError('invalid', `Not a stage of this store: ${JSON.stringify(staging.directory)}`);
    await rm(staging.directory, { recursive: true, force: true });
  }

  async layer(chainId: ChainId): Promise<LayerInfo | undefined> {
    const record = await this.#layers.find(chainId);
    return record === undefined ? undefined : infoOf(record);
  }

  async layers(): Promise<LayerInfo[]> {
    return (await this.#layers.list()).map(infoOf);
  }

  async layerTar(chainId: ChainId): Promise<ReadableStream<Uint8Array>> {
    const { diffId } = await this.#layers.get(chainId);
    return Bun.file(this.#layout.tar(diffId)).stream();
  }

  async removeLayer(chainId: ChainId): Promise<void> {
    await this.#lock.exclusive(async () => {
      const record = await this.#layers.find(chainId);
      if (record === undefined) return;
      await this.#refuseUsed(chainId);
      this.#mounts.release(chainId);
      this.#removeLater(await this.#layers.remove(record));
    });
  }

  async tree(chainId: ChainId): Promise<Tree> {
    return openStackTree(this.#layout, await this.#layers.stack(chainId));
  }

  async places(chainId: ChainId): Promise<LayerPlace[]> {
    return (await this.#layers.chain(chainId)).map(({ chainId: chain, diffId, hidesBelow }) => ({
      driver: 'erofs',
      index: this.#layout.index(chain),
      data: [this.#layout.tar(diffId), this.#layout.side(diffId)],
      opaqueRoot: hidesBelow === true,
    }));
  }

  async prepare(key: SnapshotKey, parent: ChainId | undefined, options: PrepareOptions): Promise<void> {
    checkSnapshotKey(key);
    await this.#adding(async () => {
      options.signal.throwIfAborted();
      // The topmost layer alone says what the root directory looks like.
      const top = parent === undefined ? [] : [await this.#layers.get(parent)];
      const root = await openStackTree(this.#layout, top).lookup('');
      await this.#writable.create(key, parent, { ...options, root });
    });
  }

  async mount(key: SnapshotKey, target: string, options: MountOptions = {}): Promise<void> {
    await this.#lock.shared(async () => {
      const parent = await this.#writable.parent(key);
      const stack = parent === undefined ? [] : await this.#layers.stack(parent);
      this.#mounts.mount(key, stack, { ...options, target });
    });
  }

  async unmount(key: SnapshotKey, target: string): Promise<void> {
    checkSnapshotKey(key);
    await this.#lock.shared(async () => {
      const mount = this.#mounts.find(key, target);
      if (mount !== undefined) await this.#mounts.unmount(mount);
    });
  }

  async remove(key: SnapshotKey): Promise<void> {
    checkSnapshotKey(key);
    await this.#lock.shared(() => {
      if (this.#mounts.isMounted(key))
        throw new EngineError('conflict', `Cannot remove snapshot ${JSON.stringify(key)}: it is mounted`);
      const trash = this.#writable.remove(key);
      if (trash !== undefined) this.#removeLater([trash]);
      return Promise.resolve();
    });
  }

  snapshots(): Promise<SnapshotKey[]> {
    return this.#writable.list();
  }

  async upperDirectory(key: SnapshotKey): Promise<string> {
    await this.#writable.parent(key);
    return this.#layout.upper(key);
  }

  async view(key: SnapshotKey): Promise<SnapshotView> {
    const parent = await this.#writable.parent(key);
    const stack = parent === undefined ? [] : await this.#layers.stack(parent);
    const layers = stack.map((layer) => this.#mounts.layerMount(layer));
    const lowers = [this.#layout.upper(key), ...layers.map(({ target }) => target)];
    if (layers.length === 0) lowers.push(this.#layout.empty);
    return { layers, lowers, target: this.#layout.empty };
  }

  async usage(key: SnapshotKey): Promise<number> {
    await this.#writable.parent(key);
    return this.#writable.usage(key);
  }

  async recover(keep: ReadonlySet<SnapshotKey>): Promise<void> {
    await this.#lock.exclusive(async () => {
      this.#mounts.recover();
      for (const name of await readdir(this.#layout.staging))
        if (!name.startsWith(`${this.#instance}-`)) await removeAll(join(this.#layout.staging, name));
      this.#removeLater((await readdir(this.#layout.trash)).map((name) => join(this.#layout.trash, name)));
      await this.#dropSnapshots(keep);
      await this.#layers.recover();
      const chains = (await this.#layers.list()).map(({ chainId }) => chainId);
      this.#mounts.releaseAllBut(new Set(chains));
    });
  }

  async close(): Promise<void> {
    await this.#lock.exclusive(async () => this.#mounts.releaseAllBut(await this.#chainsInUse()));
    await Promise.all(this.#removals);
    this.#mounts.close();
  }

  async #dropSnapshots(keep: ReadonlySet<SnapshotKey>): Promise<void> {
    const mounted = this.#mounts.mounted();
    for (const key of await this.#writable.list()) {
      if (keep.has(key)) continue;
      this.#logger.info('removing a snapshot that nobody owns', { key });
      for (const mount of mounted) if (mount.key === key) await this.#mounts.unmount(mount);
      const trash = this.#writable.remove(key);
      if (trash !== undefined) await removeAll(trash);
    }
  }

  async #refuseUsed(chainId: ChainId): Promise<void> {
    const child = (await this.#layers.list()).find(({ parent }) => parent === chainId);
    if (child !== undefined)
      throw new EngineError('conflict', `Cannot remove layer ${chainId}: ${child.chainId} lies on it`);
    for (const key of await this.#writable.list())
      if ((await this.#writable.parent(key)) === chainId)
        throw new EngineError('conflict', `Cannot remove layer ${chainId}: snapshot ${key} uses it`);
  }

  async #chainsInUse(): Promise<Set<ChainId>> {
    const used = new Set<ChainId>();
    for (const { key } of this.#mounts.mounted()) {
      const parent = await this.#writable.parent(key);
      if (parent === undefined) continue;
      for (const { chainId } of await this.#layers.stack(parent)) used.add(chainId);
    }
    return used;
  }

  async #adding<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await this.#lock.shared(task);
    } catch (error) {
      throw storageError(error, 'write to the data root');
    }
  }

  /** The names are gone already; deleting big files takes longer than anybody should wait. */
  #removeLater(paths: readonly string[]): void {
    const removal = Promise.all(paths.map(removeAll)).then(
      () => undefined,
      (error: unknown) => this.#logger.warn('cannot remove files', { reason: messageOf(error) }),
    );
    this.#removals.add(removal);
    void removal.finally(() => this.#removals.delete(removal));
  }
}

function infoOf({ chainId, parent, diffId, tarSize }: LayerRecord): LayerInfo {
  return { chainId, parent, diffId, tarSize };
}

async function removeAll(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
