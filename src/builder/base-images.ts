import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { ImageView } from '../images/image-backend.ts';
import type { ImageService } from '../images/image-service.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts';
import { canonicalName, parseReference, type Reference, withDefaultTag } from '../oci/reference.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildSession } from './build-session.ts';
import type { BaseImage } from './plan/build-step.ts';
import { type VertexTeller, watched } from './solver/build-progress-teller.ts';

export interface BaseImageOptions {
  images: Pick<ImageService, 'hold' | 'pull'>;
  session: Pick<BuildSession, 'credentials'>;
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
  readonly #known = new Map<string, { env: readonly string[]; hasShell: boolean }>();

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
    this.#known.set(name, { env: config.config.env, hasShell: config.config.shell !== undefined });
    return { name: canonical, manifestDigest, chainId, config };
  }

  /** An image that is here, whatever its names: the result of another build. */
  async #byId(id: Digest): Promise<BaseImage> {
    const image = await this.#hold(id, {});
    if (image === undefined) throw new EngineError('not-found', `No such image: ${id}`);
    const { manifestDigest, chainId, config } = image;
    return { name: id, manifestDigest, chainId, config };
  }

  /** What the build checks look at, by the names that were asked for. */
  get known(): ReadonlyMap<string, { env: readonly string[]; hasShell: boolean }> {
    return this.#known;
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
