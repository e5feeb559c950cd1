import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { ImageView } from '../images/image-backend.ts';
import type { ImageService } from '../images/image-service.ts';
import type { Lease } from '../images/store/lease-store.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts';
import { canonicalName, parseReference, type Reference, withDefaultTag } from '../oci/reference.ts';
import type { Material } from './attest/provenance.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildSession } from './build-session.ts';
import { layoutStore } from './client-blobs.ts';
import type { BaseImage } from './plan/build-step.ts';
import { type VertexTeller, watched } from './solver/build-progress-teller.ts';
import { bringLayoutImage, type LayoutImagePorts, parseLayoutReference } from './sources/layout-image.ts';

export interface BaseImageOptions {
  images: Pick<ImageService, 'hold' | 'pull'>;
  session: Pick<BuildSession, 'credentials' | 'blobs'>;
  /** What images of the client's own layouts are brought with. */
  rooms: Omit<LayoutImagePorts, 'lease' | 'signal'>;
  lease: Lease;
  /** Ask the registries whether there is a newer one. */
  pull: boolean;
  /** Was a platform asked for? Otherwise an image that is here serves, whatever it is for. */
  isPlatformGiven: boolean;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** The images that one build stands on: found here or pulled, held until the build is over. */
export class BaseImages {
  readonly #options: BaseImageOptions;
  readonly #releases: (() => void)[] = [];
  readonly #used: Material[] = [];

  constructor(options: BaseImageOptions) {
    this.#options = options;
  }

  /** @throws EngineError `x: failed to resolve source metadata for docker.io/library/x:latest: …`. */
  async get(name: string, platform: Platform): Promise<BaseImage> {
    if (isDigest(name)) return await this.#byId(name);
    const reference = withDefaultTag(parseReference(name));
    const canonical = canonicalName(reference);
    const title = `[internal] load metadata for ${canonical}`;
    const view = await watched(this.#options.watch, title, async (teller) => {
      try {
        return await this.#view(reference, platform, teller);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        throw new EngineError(
          kindOf(error),
          `${name}: failed to resolve source metadata for ${canonical}: ${messageOf(error)}`,
          { cause: error },
        );
      }
    });
    const { manifestDigest, chainId, config } = view;
    this.#used.push({ name: canonical, digest: view.id, platform });
    return { name: canonical, manifestDigest, chainId, config };
  }

  /** Of a layout of the client's. @throws as `bringLayoutImage`. */
  async ofLayout(name: string, text: string, platform: Platform): Promise<BaseImage> {
    const { session, rooms, lease, signal, watch } = this.#options;
    const { store, digest } = parseLayoutReference(text);
    const shown = `${canonicalName(parseReference(name))}@${digest}`;
    const { manifest, layers } = await watched(
      watch,
      `[context ${name}] load metadata for ${shown}`,
      async () => {
        try {
          const blobs = session.blobs(layoutStore(store));
          return await bringLayoutImage(blobs, { digest, platform }, { ...rooms, lease, signal });
        } catch (error) {
          signal.throwIfAborted();
          const message = `failed to resolve source metadata for ${shown}: ${messageOf(error)}`;
          throw new EngineError(kindOf(error), message, { cause: error });
        }
      },
    );
    const { config } = manifest;
    this.#used.push({ name: shown, digest, platform, isLocal: true });
    const chainId = manifest.chainIds.at(-1);
    const layout = { context: name, layers };
    return { name: shown, manifestDigest: manifest.digest, chainId, config, layout };
  }

  /** An image that is here, whatever its names: the result of another build. */
  async #byId(id: Digest): Promise<BaseImage> {
    const image = await this.#hold(id, {});
    if (image === undefined) throw new EngineError('not-found', `No such image: ${id}`);
    const { manifestDigest, chainId, config } = image;
    return { name: id, manifestDigest, chainId, config };
  }

  /** The images, as their names were asked for. */
  get used(): readonly Material[] {
    return this.#used;
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release();
  }

  async #view(reference: Reference, platform: Platform, teller: VertexTeller): Promise<ImageView> {
    const { images, pull, session, signal, isPlatformGiven } = this.#options;
    const isHost = !isPlatformGiven && formatPlatform(platform) === formatPlatform(hostPlatform());
    const wanted = isHost ? {} : { platform };
    const name = canonicalName(reference);
    if (!pull) {
      const held = await this.#hold(name, wanted);
      if (held !== undefined) return held;
    }
    const credentials = await session.credentials(reference.domain, { signal });
    await images.pull(
      { reference, platform: isHost ? undefined : platform, credentials },
      {
        signal,
        progress: ({ id, status, current, total }) => {
          if (id === undefined || current === undefined) return;
          teller.transfer(status, current, { id, total: total ?? 0 });
        },
      },
    );
    const held = await this.#hold(name, wanted);
    if (held === undefined) throw new EngineError('not-found', `No such image: ${name}`);
    return held;
  }

  async #hold(name: string, options: { platform?: Platform }): Promise<ImageView | undefined> {
    try {
      const { image, release } = await this.#options.images.hold(name, options);
      this.#releases.push(release);
      return image;
    } catch (error) {
      if (kindOf(error) === 'not-found') return undefined;
      throw error;
    }
  }
}
