import type { TarEntry } from '../../archive/entry.ts';
import type { NodeAttributes } from '../../archive/tree.ts';
import { type ErofsImage, writeErofsImage } from '../../erofs/image-writer.ts';
import { impliedDirectories, inherit, LayerBuilder } from '../../erofs/layer-builder.ts';
import type { SideFile } from './side-file.ts';

/** A directory that the layer only implies, and where its inode stands in the index. */
export interface ImpliedPlace {
  path: string;
  offset: number;
}

export interface LayerIndex {
  image: ErofsImage;
  implied: ImpliedPlace[];
  hidesBelow: boolean;
}

/** A visitor of the layer's tar that ends in its index. */
export class IndexBuilder {
  readonly #layer: LayerBuilder;
  readonly #side: SideFile;
  #inSparse = false;

  /** `plain`: no layer of an image, and no name in it means anything but itself. */
  constructor(side: SideFile, { plain = false }: { plain?: boolean } = {}) {
    this.#side = side;
    this.#layer = new LayerBuilder({ plain });
  }

  entry(entry: TarEntry): void {
    const extent = entry.sparse === undefined ? undefined : this.#side.begin(entry);
    this.#inSparse = extent !== undefined;
    this.#layer.add(entry, extent);
  }

  data(chunk: Uint8Array): void {
    if (this.#inSparse) this.#side.data(chunk);
  }

  /** `below`: attributes of implied directories where they are known already. */
  finish(tarSize: number, below?: ReadonlyMap<string, NodeAttributes>): LayerIndex {
    const root = this.#layer.finish();
    const implied = impliedDirectories(root);
    for (const { path, node } of implied) {
      const attributes = below?.get(path);
      if (attributes !== undefined) inherit(node, attributes);
    }
    const devices = [{ sizeBytes: tarSize }];
    if (this.#side.size > 0) devices.push({ sizeBytes: this.#side.size });
    const image = writeErofsImage(root, devices);
    const places = implied.map(({ path, node }) => ({ path, offset: image.offsetOf(node) ?? 0 }));
    return { image, implied: places, hidesBelow: root.opaque };
  }
}
