import type { Digest } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';

export interface ImageTag {
  reference: Reference;
  image: Digest;
  taggedNano: bigint;
}

/** Tags by canonical name, and those of each image without a look at the others: a list asks for every image's. */
export class TagIndex {
  readonly #byName = new Map<string, ImageTag>();
  readonly #byImage = new Map<Digest, Map<string, ImageTag>>();

  get(name: string): ImageTag | undefined {
    return this.#byName.get(name);
  }

  /** In order of their names. */
  all(): ImageTag[] {
    return inOrder(this.#byName);
  }

  /** In order of their names. */
  of(image: Digest): ImageTag[] {
    const own = this.#byImage.get(image);
    return own === undefined ? [] : inOrder(own);
  }

  /** A name means one image: what it meant before is forgotten. */
  set(name: string, tag: ImageTag): void {
    this.delete(name);
    this.#byName.set(name, tag);
    const own = this.#byImage.get(tag.image);
    if (own === undefined) this.#byImage.set(tag.image, new Map([[name, tag]]));
    else own.set(name, tag);
  }

  delete(name: string): void {
    const tag = this.#byName.get(name);
    if (tag === undefined) return;
    this.#byName.delete(name);
    const own = this.#byImage.get(tag.image);
    own?.delete(name);
    if (own?.size === 0) this.#byImage.delete(tag.image);
  }

  deleteOf(image: Digest): void {
    for (const name of this.#byImage.get(image)?.keys() ?? []) this.delete(name);
  }
}

function inOrder(tags: ReadonlyMap<string, ImageTag>): ImageTag[] {
  const found = [...tags];
  return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tag]) => tag);
}
