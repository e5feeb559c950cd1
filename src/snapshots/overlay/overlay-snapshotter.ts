import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Tree } from '../../archive/tree.ts';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import { syncDirectory } from '../../storage/atomic-file.ts';
import { mountOverlay, unmountIfMounted } from '../../sys/mount.ts';
import { spreadDirectories } from '../../sys/spread-directories.ts';
import { MappedOverlays } from '../mapped-overlays.ts';
import { applyToDirectory, nodeAttributes, statNode } from '../node-attributes.ts';
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
import { writtenSize } from '../written-size.ts';
import { fileStream } from './file-stream.ts';
import { namesIn, OverlayLayers } from './overlay-layers.ts';
import { OverlayLayout, snapshotFiles } from './overlay-layout.ts';
import { mountedOverlays } from './overlay-mounts.ts';
import { OverlayTree } from './overlay-tree.ts';

/**
 * Layers unpacked into directories, for kernels that cannot mount EROFS from our files. The tar is kept beside them, so that `layerTar`
 * gives the bytes as hashed: twice the disk, which is the price of a faithful push and save.
 */
export class OverlaySnapshotter implements Snapshotter {
  readonly driver = 'overlay';
  readonly #layout: OverlayLayout;
  readonly #layers: OverlayLayers;
  readonly #limits: SizeLimits;
  readonly #mapped: MappedOverlays;
  readonly #removals = new Set<Promise<void>>();
  /** Stages of this instance are told from those of one that died. */
  readonly #instance = randomUUID();
  #stages = 0;
  /** Changes to what exists happen one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** `root`: a folder of its own in the data root, made when it is needed; one owner at a time. */
  constructor(root: string) {
    this.#layout = new OverlayLayout(root);
    mkdirSync(this.#layout.staging, { recursive: true, mode: 0o700 });
    // Snapshots are made there.
    spreadDirectories(this.#layout.staging);
    this.#layers = new OverlayLayers(this.#layout);
    this.#limits = new SizeLimits(root);
    this.#mapped = new MappedOverlays(root);
  }

  stage(): LayerStaging {
    return { driver: this.driver, directory: this.#newStage() };
  }

  commitLayer(
    staged: StagedLayer,
    parent: ChainId | undefined,
    options: { signal: AbortSignal },
  ): Promise<LayerInfo> {
    return this.#inTurn(() => this.#layers.commit(staged, parent, options.signal));
  }

  async discard(staging: LayerStaging): Promise<void> {
    if (!staging.directory.startsWith(`${this.#layout.staging}/`))
      throw new EngineError('invalid', `Not a stage of this store: ${JSON.stringify(staging.directory)}`);
    await rm(staging.directory, { recursive: true, force: true });
  }

  layer(chainId: ChainId): Promise<LayerInfo | undefined> {
    return this.#layers.find(chainId);
  }

  layers(): Promise<LayerInfo[]> {
    return this.#layers.list();
  }

  async layerTar(chainId: ChainId): Promise<ReadableStream<Uint8Array>> {
    await this.#layers.get(chainId);
    return fileStream(this.#layers.tarPath(chainId));
  }

  removeLayer(chainId: ChainId): Promise<void> {
    return this.#inTurn(async () => {
      if ((await this.#layers.find(chainId)) === undefined) return;
      await this.#refuseUsed(chainId);
      this.#removeLater(await this.#layers.detach(chainId));
    });
  }

  async tree(chainId: ChainId): Promise<Tree> {
    return new OverlayTree(await this.#layers.stack(chainId));
  }

  places(chainId: ChainId): Promise<LayerPlace[]> {
    return this.#layers.places(chainId);
  }

  prepare(key: SnapshotKey, parent: ChainId | undefined, options: PrepareOptions): Promise<void> {
    return this.#inTurn(async () => {
      checkKey(key);
      options.signal.throwIfAborted();
      const lowers = parent === undefined ? [] : await this.#layers.stack(parent);
      const stage = this.#newStage();
      try {
        await makeSnapshot(stage, parent, lowers);
        if (options.sizeBytes !== undefined) this.#limits.set(snapshotFiles(stage), options.sizeBytes);
        await mkdir(this.#layout.snapshots, { recursive: true, mode: 0o711 });
        options.signal.throwIfAborted();
        await rename(stage, this.#layout.snapshot(key).directory);
      } catch (error) {
        await rm(stage, { recursive: true, force: true });
        if (errnoCodeOf(error) !== 'ENOTEMPTY' && errnoCodeOf(error) !== 'EEXIST') throw error;
        throw new EngineError('conflict', `Snapshot ${JSON.stringify(key)} exists already`);
      }
      await syncDirectory(this.#layout.snapshots);
    });
  }

  mount(key: SnapshotKey, target: string, options: MountOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      const parent = await this.#parent(key);
      const { directory, upper, work } = this.#layout.snapshot(key);
      if (this.#isMounted(key, target)) return;
      const stack = parent === undefined ? [] : await this.#layers.stack(parent);
      const lowers = stack.length === 0 ? [await this.#emptyLower()] : stack;
      const overlay = { lowers, target, readonly: options.readonly === true };
      const { idMap } = options;
      this.#limits.mount(upper, () => {
        if (idMap === undefined) mountOverlay({ ...overlay, writable: { upper, work } });
        else this.#mapped.mount({ ...overlay, key, snapshot: directory }, idMap);
      });
    });
  }

  unmount(key: SnapshotKey, target: string): Promise<void> {
    return this.#inTurn(() => {
      checkKey(key);
      // A container's init may be on its way out still: the mount goes with it.
      if (this.#isMounted(key, target)) unmountIfMounted(target, { detach: true });
    });
  }

  remove(key: SnapshotKey): Promise<void> {
    return this.#inTurn(() => this.#remove(key));
  }

  async snapshots(): Promise<SnapshotKey[]> {
    return (await namesIn(this.#layout.snapshots)) as SnapshotKey[];
  }

  async upperDirectory(key: SnapshotKey): Promise<string> {
    await this.#parent(key);
    return this.#layout.snapshot(key).upper;
  }

  async view(key: SnapshotKey): Promise<SnapshotView> {
    const parent = await this.#parent(key);
    const stack = parent === undefined ? [] : await this.#layers.stack(parent);
    const target = await this.#emptyLower();
    const lowers = [this.#layout.snapshot(key).upper, ...(stack.length === 0 ? [target] : stack)];
    return { layers: [], lowers, target };
  }

  async usage(key: SnapshotKey): Promise<number> {
    return await writtenSize(await this.upperDirectory(key));
  }

  recover(keep: ReadonlySet<SnapshotKey>): Promise<void> {
    return this.#inTurn(async () => {
      this.#mapped.recover();
      const unwanted = (await this.snapshots()).filter((key) => !keep.has(key));
      const keys = new Set(unwanted);
      for (const { key, target } of this.#mounted())
        if (keys.has(key)) unmountIfMounted(target, { detach: true });
      for (const key of unwanted) await this.#remove(key);
      await this.#settle();
      for (const name of await namesIn(this.#layout.removing))
        this.#removeLater(join(this.#layout.removing, name));
      for (const name of await namesIn(this.#layout.staging)) {
        if (name.startsWith(`${this.#instance}-`)) continue;
        await rm(join(this.#layout.staging, name), { recursive: true, force: true });
      }
    });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#settle();
    this.#mapped.close();
  }

  async #remove(key: SnapshotKey): Promise<void> {
    checkKey(key);
    const { directory, upper } = this.#layout.snapshot(key);
    if (this.#isMounted(key))
      throw new EngineError('conflict', `Cannot remove snapshot ${JSON.stringify(key)}: it is mounted`);
    await mkdir(this.#layout.removing, { recursive: true, mode: 0o700 });
    const away = join(this.#layout.removing, randomUUID());
    try {
      this.#limits.forget(upper);
      await rename(directory, away);
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return;
      throw error;
    }
    await syncDirectory(this.#layout.snapshots);
    this.#removeLater(away);
  }

  async #refuseUsed(chainId: ChainId): Promise<void> {
    const child = (await this.#layers.list()).find((layer) => layer.parent === chainId);
    if (child !== undefined)
      throw new EngineError('conflict', `Cannot remove layer ${chainId}: ${child.chainId} lies on it`);
    for (const key of await this.snapshots())
      if ((await this.#parent(key)) === chainId)
        throw new EngineError('conflict', `Cannot remove layer ${chainId}: snapshot ${key} uses it`);
  }

  #mounted(): { key: SnapshotKey; target: string }[] {
    const prefix = `${this.#layout.snapshots}/`;
    return mountedOverlays().flatMap(({ upper, target }) => {
      const key = upper.startsWith(prefix) ? basename(dirname(upper)) : this.#mapped.keyOf(upper);
      return key === undefined ? [] : [{ key: key as SnapshotKey, target }];
    });
  }

  #isMounted(key: SnapshotKey, target?: string): boolean {
    return this.#mounted().some(
      (mount) => mount.key === key && (target === undefined || mount.target === target),
    );
  }

  #newStage(): string {
    return join(this.#layout.staging, `${this.#instance}-${++this.#stages}`);
  }

  #inTurn<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Its directory has been renamed away already: a crash leaves work for `recover`, not a half snapshot. */
  #removeLater(directory: string): void {
    const removal = rm(directory, { recursive: true, force: true })
      .catch(() => undefined)
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** The chain that a snapshot lies on. @throws EngineError "not-found". */
  async #parent(key: SnapshotKey): Promise<ChainId | undefined> {
    checkKey(key);
    const { parent, upper } = this.#layout.snapshot(key);
    try {
      return (await readlink(parent)) as ChainId;
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
    }
    if (statNode(upper) !== undefined) return undefined;
    throw new EngineError('not-found', `No such snapshot: ${key}`);
  }

  async #emptyLower(): Promise<string> {
    await mkdir(this.#layout.empty, { recursive: true, mode: 0o755 });
    return this.#layout.empty;
  }
}

/** A snapshot's files. Metadata alone, so that the flush of the directory that they are renamed into covers them. */
async function makeSnapshot(
  stage: string,
  chain: ChainId | undefined,
  lowers: readonly string[],
): Promise<void> {
  const { upper, work, parent } = snapshotFiles(stage);
  await mkdir(upper, { recursive: true, mode: 0o755 });
  await mkdir(work, { mode: 0o700 });
  likeRootOf(lowers, upper);
  if (chain !== undefined) await symlink(chain, parent);
}

function checkKey(key: SnapshotKey): void {
  if (!/^[a-zA-Z0-9_.-]{1,128}$/.test(key) || key === '.' || key === '..')
    throw new EngineError('invalid', `Invalid snapshot key ${JSON.stringify(key)}`);
}

/** The root that a container sees is the upper one: it must look like the image's. */
function likeRootOf(lowers: readonly string[], upper: string): void {
  const [top] = lowers;
  const stat = top === undefined ? undefined : statNode(top);
  if (top !== undefined && stat !== undefined) applyToDirectory(upper, nodeAttributes(top, stat));
}
