import { EngineError } from '../../errors/engine-error.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import { familiarName, parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { NamedContext } from '../build-request.ts';
import type { PlanPorts } from './build-plan.ts';
import type { BaseImage, StepTree } from './build-step.ts';
import { remoteTree } from './copy-to-root.ts';

export type FoundBase = { kind: 'image'; image: BaseImage } | { kind: 'tree'; tree: StepTree };

/** What FROM, `COPY --from` and mounts name: an image, or a named context in its place. */
export class BaseFinder {
  readonly #named: ReadonlyMap<string, NamedContext>;
  readonly #ports: PlanPorts;
  readonly #images = new Map<string, Promise<BaseImage>>();

  constructor(named: ReadonlyMap<string, NamedContext>, ports: PlanPorts) {
    this.#named = named;
    this.#ports = ports;
  }

  /** Asked for once; undefined for a named context that is no image. */
  image(name: string, platform: Platform): Promise<BaseImage> | undefined {
    const named = this.named(name);
    if (named?.type === 'local' || named?.type === 'remote') return undefined;
    const reference = named === undefined ? name : named.reference;
    const key = `${named?.type ?? 'image'} ${reference} ${formatPlatform(platform)}`;
    const known = this.#images.get(key);
    if (known !== undefined) return known;
    const image =
      named?.type === 'oci-layout'
        ? this.#ports.layoutImage(name, reference, platform)
        : this.#ports.baseImage(reference, platform);
    image.catch(() => undefined);
    this.#images.set(key, image);
    return image;
  }

  /** By its own name, or by the full or short spelling of the image. */
  named(name: string): NamedContext | undefined {
    const namedContexts = this.#named;
    if (namedContexts.size === 0) return undefined;
    const own = namedContexts.get(name) ?? namedContexts.get(name.toLowerCase());
    if (own !== undefined) return own;
    let wanted: string;
    try {
      wanted = familiarName(withDefaultTag(parseReference(name)));
    } catch {
      return undefined;
    }
    for (const [key, context] of namedContexts) {
      try {
        if (familiarName(withDefaultTag(parseReference(key))) === wanted) return context;
      } catch {
        // A name that is no image's.
      }
    }
    return undefined;
  }

  async find(name: string, platform: Platform): Promise<FoundBase> {
    const image = this.image(name, platform);
    if (image !== undefined) return { kind: 'image', image: await image };
    const named = this.named(name);
    if (named?.type === 'local') {
      const context = { main: false, name: named.name } as const;
      return { kind: 'tree', tree: { kind: 'context', context } };
    }
    if (named?.type === 'remote')
      return { kind: 'tree', tree: { kind: 'step', step: remoteTree(named.url, platform) } };
    throw new EngineError('internal', `Context ${name} is of no known kind`);
  }
}
