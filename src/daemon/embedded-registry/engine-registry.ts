import type { ImageService } from '../../images/image-service.ts';
import type { GcRoots } from '../../images/store/lease-store.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BlobHold, BlobKeeper } from '../../registry/server/blob-backend.ts';
import { HeldBlobs } from '../../registry/server/blob-collector.ts';
import { type LockedRegistryRoot, openEngineRegistryRoot } from './registry-root.ts';

/**
 * The embedded registry as a part of the engine: what its repositories name is a root of the engine's collections, and what they stop naming is theirs to
 * remove. Open whether or not it is served, so that its blobs stay.
 */
export class EngineRegistry implements BlobKeeper {
  readonly root: LockedRegistryRoot;
  readonly #images: () => ImageService;
  readonly #held = new HeldBlobs();

  private constructor(root: LockedRegistryRoot, images: () => ImageService) {
    this.root = root;
    this.#images = images;
  }

  /** `images` is asked for only once something is pushed or removed. */
  static async open(dataRoot: string, images: () => ImageService): Promise<EngineRegistry> {
    return new EngineRegistry(await openEngineRegistryRoot(dataRoot), images);
  }

  roots(): GcRoots {
    const { pushed, cached } = this.root;
    return { blobs: [...pushed.digests(), ...cached.digests(), ...this.#held.digests()], chains: [] };
  }

  /** A collection that looked before has ended, one that looks after sees it. */
  async hold(digests: readonly Digest[]): Promise<BlobHold> {
    const hold = this.#held.add(digests);
    await this.#images().settled();
    return hold;
  }

  close(): void {
    this.root.release();
  }

  async release(digests: readonly Digest[]): Promise<number> {
    return await this.#images().collectBlobs(digests);
  }
}
