import { renameSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeAttributes } from '../../archive/tree.ts';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import { hexOf } from '../../oci/digest.ts';
import { syncDirectory } from '../../storage/atomic-file.ts';
import type { SizeLimits } from '../size-limits.ts';
import type { PrepareOptions, SnapshotKey } from '../snapshotter.ts';
import { writtenSize } from '../written-size.ts';
import { checkSnapshotKey, type ErofsLayout } from './erofs-layout.ts';

/** The writable snapshots on disk: `upper`, `work` and a link that names the parent. */
export class WritableStore {
  readonly #layout: ErofsLayout;
  readonly #limits: SizeLimits;

  constructor(layout: ErofsLayout, limits: SizeLimits) {
    this.#layout = layout;
    this.#limits = limits;
  }

  /**
   * Make a snapshot whose root directory looks like `root`. @throws EngineError "conflict" if there is one.
   */
  async create(
    key: SnapshotKey,
    parent: ChainId | undefined,
    { root, signal, sizeBytes }: PrepareOptions & { root: NodeAttributes | undefined },
  ): Promise<void> {
    const stage = this.#layout.newTrash(key);
    try {
      await mkdir(join(stage, 'upper'), { recursive: true, mode: 0o755 });
      await mkdir(join(stage, 'work'), { mode: 0o700 });
      if (root !== undefined) await dress(join(stage, 'upper'), root);
      if (sizeBytes !== undefined)
        this.#limits.set({ upper: join(stage, 'upper'), work: join(stage, 'work') }, sizeBytes);
      if (parent !== undefined) await symlink(hexOf(parent), join(stage, 'parent'));
      signal.throwIfAborted();
      await rename(stage, this.#layout.snapshot(key));
    } catch (error) {
      await rm(stage, { recursive: true, force: true });
      const code = errnoCodeOf(error);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      throw new EngineError('conflict', `Snapshot ${JSON.stringify(key)} exists already`);
    }
    await syncDirectory(this.#layout.active);
  }

  /** The parent of a snapshot. @throws EngineError "not-found". */
  async parent(key: SnapshotKey): Promise<ChainId | undefined> {
    checkSnapshotKey(key);
    try {
      return `sha256:${await readlink(this.#layout.parentLink(key))}` as ChainId;
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
    }
    if (await exists(this.#layout.upper(key))) return undefined;
    throw new EngineError('not-found', `No such snapshot: ${key}`);
  }

  async list(): Promise<SnapshotKey[]> {
    return (await readdir(this.#layout.active)) as SnapshotKey[];
  }

  /** Take the snapshot away, at once; undefined where there is none. @returns the directory that is left to delete. */
  remove(key: SnapshotKey): string | undefined {
    const trash = this.#layout.newTrash(key);
    try {
      this.#limits.forget(this.#layout.upper(key));
      renameSync(this.#layout.snapshot(key), trash);
      return trash;
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** As `Snapshotter.usage`. */
  async usage(key: SnapshotKey): Promise<number> {
    return await writtenSize(this.#layout.upper(key));
  }
}

/** The overlay's root takes its attributes from the upper directory. */
async function dress(directory: string, { mode, uid, gid }: NodeAttributes): Promise<void> {
  if (uid !== 0 || gid !== 0) await chown(directory, uid, gid);
  await chmod(directory, mode);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
