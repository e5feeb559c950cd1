import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import { listMounts, type MountInfo, mountErofs, mountOverlay, unmountIfMounted } from '../../sys/mount.ts';
import type { SnapshotKey } from '../snapshotter.ts';
import type { ErofsLayout } from './erofs-layout.ts';
import type { LayerRecord } from './layer-store.ts';

/** How the kernel reaches an index: as a plain file, or (older kernels) through loop devices. */
export type ErofsBacking = 'file';

export interface MountedSnapshot {
  key: SnapshotKey;
  target: string;
}

const upperOption = 'upperdir=';

/**
 * The mounts: one EROFS for each layer, shared by all snapshots above it, and an overlay for each mounted snapshot. What is mounted is
 * read from the kernel each time; nothing is remembered that a crash could make untrue. All calls here block.
 */
export class LowerMounts {
  readonly #layout: ErofsLayout;
  readonly #backing: ErofsBacking;

  constructor(layout: ErofsLayout, backing: ErofsBacking = 'file') {
    this.#layout = layout;
    this.#backing = backing;
  }

  /** Mount a snapshot on `target` over `stack` (top first). A failure leaves no mount that was not there. */
  mount(
    key: SnapshotKey,
    stack: readonly LayerRecord[],
    options: { target: string; readonly: boolean },
  ): void {
    const present = new Set(this.#own().map(({ target }) => target));
    const made: string[] = [];
    try {
      for (const layer of stack) {
        const target = this.#layout.lower(layer.chainId);
        if (present.has(target)) continue;
        this.#mountLayer(layer, target);
        made.push(target);
      }
      const lowers = stack.map(({ chainId }) => this.#layout.lower(chainId));
      mountOverlay({
        lowers: lowers.length === 0 ? [this.#layout.empty] : lowers,
        writable: { upper: this.#layout.upper(key), work: this.#layout.work(key) },
        target: options.target,
        readonly: options.readonly,
      });
    } catch (error) {
      for (const target of made.reverse()) unmountIfMounted(target, { detach: true });
      throw error;
    }
  }

  /** The snapshots that are mounted now, and where. */
  mounted(): MountedSnapshot[] {
    const found: MountedSnapshot[] = [];
    const prefix = `${this.#layout.active}/`;
    for (const { type, target, superOptions } of listMounts()) {
      if (type !== 'overlay') continue;
      const option = superOptions.split(',').find((text) => text.startsWith(upperOption));
      const upper = option?.slice(upperOption.length) ?? '';
      if (upper.startsWith(prefix) && upper.endsWith('/upper'))
        found.push({ key: upper.slice(prefix.length, -'/upper'.length) as SnapshotKey, target });
    }
    return found;
  }

  unmount(target: string): void {
    // A process on its way out may still be in there: the mount goes with it.
    unmountIfMounted(target, { detach: true });
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

  #mountLayer(layer: LayerRecord, target: string): void {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const devices = [this.#layout.tar(layer.diffId)];
    if (layer.sideSize > 0) devices.push(this.#layout.side(layer.diffId));
    const image = this.#layout.index(layer.chainId);
    switch (this.#backing) {
      case 'file':
        mountErofs({ image, devices, target });
    }
  }

  #own(): MountInfo[] {
    const prefix = `${this.#layout.mounts}/`;
    return listMounts().filter(({ type, target }) => type === 'erofs' && target.startsWith(prefix));
  }
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code !== 'ENOENT' && code !== 'EBUSY' && code !== 'ENOTEMPTY') throw error;
  }
}
