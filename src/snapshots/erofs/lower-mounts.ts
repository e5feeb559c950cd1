import { existsSync, mkdirSync, readdirSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import {
  type ErofsMount,
  isFilesystemRoot,
  listMounts,
  listMountsWith,
  type MountInfo,
  mountErofs,
  mountOverlay,
  unmountIfMounted,
} from '../../sys/mount.ts';
import { UnmountThread } from '../../sys/unmount-thread.ts';
import { MappedOverlays } from '../mapped-overlays.ts';
import type { SizeLimits } from '../size-limits.ts';
import type { MountOptions, SnapshotKey } from '../snapshotter.ts';
import type { ErofsLayout } from './erofs-layout.ts';
import type { LayerRecord } from './layer-store.ts';

export interface MountedSnapshot {
  key: SnapshotKey;
  target: string;
  /** Its unmount syncs nothing. */
  volatile: boolean;
}

const upperOption = 'upperdir=';

/**
 * The mounts: one EROFS for each layer, shared by all snapshots above it, and an overlay for each mounted snapshot. What is mounted is
 * asked of the kernel each time; nothing is remembered that a crash could make untrue. All calls block, but `unmount`.
 */
export class LowerMounts {
  readonly #layout: ErofsLayout;
  readonly #limits: SizeLimits;
  readonly #byLoop: boolean;
  readonly #thread = new UnmountThread();
  readonly #mapped: MappedOverlays;

  constructor(layout: ErofsLayout, { limits, byLoop }: { limits: SizeLimits; byLoop: boolean }) {
    this.#layout = layout;
    this.#limits = limits;
    this.#byLoop = byLoop;
    this.#mapped = new MappedOverlays(layout.root);
  }

  /**
   * Mount a snapshot on `target` over `stack` (top first), unless it is there already. A failure leaves no mount that was not there.
   */
  mount(key: SnapshotKey, stack: readonly LayerRecord[], options: MountOptions & { target: string }): void {
    const place = placeOf(options.target);
    if (this.find(key, place) !== undefined) return;
    const made: string[] = [];
    try {
      for (const layer of stack) {
        const target = this.#layout.lower(layer.chainId);
        if (isFilesystemRoot(target)) continue;
        this.#mountLayer(layer);
        made.push(target);
      }
      // The mark that a volatile mount leaves: the kernel would refuse to mount again.
      rmSync(join(this.#layout.work(key), 'work', 'incompat'), { recursive: true, force: true });
      this.#mountOverlay(key, stack, { ...options, target: place });
    } catch (error) {
      for (const target of made.reverse()) unmountIfMounted(target, { detach: true });
      throw error;
    }
  }

  /** The snapshots that are mounted now, and where. */
  mounted(mounts: readonly MountInfo[] = listMounts()): MountedSnapshot[] {
    const found: MountedSnapshot[] = [];
    const prefix = `${this.#layout.active}/`;
    for (const { type, target, superOptions } of mounts) {
      if (type !== 'overlay') continue;
      const option = superOptions.split(',').find((text) => text.startsWith(upperOption));
      const upper = option?.slice(upperOption.length) ?? '';
      const plain =
        upper.startsWith(prefix) && upper.endsWith('/upper')
          ? upper.slice(prefix.length, -'/upper'.length)
          : undefined;
      const key = plain ?? this.#mapped.keyOf(upper);
      if (key === undefined) continue;
      const volatile = superOptions.split(',').includes('volatile');
      found.push({ key: key as SnapshotKey, target, volatile });
    }
    return found;
  }

  isMounted(key: SnapshotKey): boolean {
    return this.mounted(listMountsWith(key)).some((mount) => mount.key === key);
  }

  /** The mount of a snapshot on `target`, undefined where there is none. */
  find(key: SnapshotKey, target: string): MountedSnapshot | undefined {
    const place = placeOf(target);
    if (!isFilesystemRoot(place)) return undefined;
    return this.mounted(listMountsWith(key)).find((mount) => mount.key === key && mount.target === place);
  }

  /**
   * A process on its way out may still be in there: the mount goes with it. What syncs may block for long, so it is done in a thread.
   */
  async unmount({ target, volatile }: MountedSnapshot): Promise<void> {
    if (volatile) unmountIfMounted(target, { detach: true });
    else await this.#thread.unmount(target);
  }

  /** Unmount a layer that no mounted snapshot uses. */
  release(chainId: ChainId): void {
    const target = this.#layout.lower(chainId);
    unmountIfMounted(target);
    removeEmpty(target);
  }

  /** Unmount all layers but those in `keep`. */
  releaseAllBut(keep: ReadonlySet<ChainId>): void {
    const kept = new Set([...keep].map((chainId) => this.#layout.lower(chainId)));
    for (const { target } of this.#own()) if (!kept.has(target)) unmountIfMounted(target, { detach: true });
    for (const name of readdirSync(this.#layout.mounts)) {
      const target = join(this.#layout.mounts, name);
      if (!kept.has(target)) removeEmpty(target);
    }
  }

  /** How a layer is mounted, and where: the directory is there. */
  layerMount(layer: LayerRecord): ErofsMount {
    const target = this.#layout.lower(layer.chainId);
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const devices = [this.#layout.tar(layer.diffId)];
    if (layer.sideSize > 0) devices.push(this.#layout.side(layer.diffId));
    return { image: this.#layout.index(layer.chainId), devices, target, byLoop: this.#byLoop };
  }

  /** What a crash has left of a mount's making. */
  recover(): void {
    this.#mapped.recover();
  }

  close(): void {
    this.#mapped.close();
  }

  #mountOverlay(
    key: SnapshotKey,
    stack: readonly LayerRecord[],
    { idMap, ...options }: MountOptions & { target: string },
  ): void {
    const layers = stack.map(({ chainId }) => this.#layout.lower(chainId));
    const lowers = layers.length === 0 ? [this.#layout.empty] : layers;
    const writable = { upper: this.#layout.upper(key), work: this.#layout.work(key) };
    this.#limits.mount(writable.upper, () => {
      if (idMap === undefined) mountOverlay({ ...options, lowers, writable });
      else this.#mapped.mount({ ...options, lowers, key, snapshot: this.#layout.snapshot(key) }, idMap);
    });
  }

  #mountLayer(layer: LayerRecord): void {
    mountErofs(this.layerMount(layer));
  }

  #own(): MountInfo[] {
    const prefix = `${this.#layout.mounts}/`;
    return listMounts().filter(({ type, target }) => type === 'erofs' && target.startsWith(prefix));
  }
}

/** The caller's path may lead through symbolic links, which the kernel's list does not. */
function placeOf(target: string): string {
  return existsSync(target) ? realpathSync(target) : target;
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code !== 'ENOENT' && code !== 'EBUSY' && code !== 'ENOTEMPTY') throw error;
  }
}
