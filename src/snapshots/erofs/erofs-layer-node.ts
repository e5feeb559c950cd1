import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import { ErofsImageReader, type Inode } from '../../erofs/image-reader.ts';
import { inodeAttributes, isOpaque, isRemoval } from '../../erofs/stack-tree.ts';
import type { LayerNode } from '../layer-node.ts';
import type { LayerPlace } from '../snapshotter.ts';

type ErofsLayerPlace = Extract<LayerPlace, { driver: 'erofs' }>;

interface OpenIndex {
  path: string;
  reader: ErofsImageReader;
  data: readonly string[];
}

/** A node of a layer's index, which is mapped: only what is asked for is read. */
export class ErofsLayerNode implements LayerNode {
  readonly #index: OpenIndex;
  readonly #nid: number;
  readonly #inode: Inode;
  readonly #isHiding: boolean;

  private constructor(index: OpenIndex, nid: number, isHiding = false) {
    this.#index = index;
    this.#nid = nid;
    this.#isHiding = isHiding;
    this.#inode = index.reader.inode(nid);
  }

  static root({ index, data, opaqueRoot }: ErofsLayerPlace): ErofsLayerNode {
    const reader = new ErofsImageReader(Bun.mmap(index, { shared: true }));
    return new ErofsLayerNode({ path: index, reader, data }, reader.rootNid, opaqueRoot);
  }

  get key(): string {
    return `${this.#index.path}:${this.#nid}`;
  }

  get type(): FileType {
    return this.#inode.type;
  }

  get size(): number {
    return this.#inode.type === 'file' ? this.#inode.size : 0;
  }

  get links(): number {
    return this.#inode.links;
  }

  get isWhiteout(): boolean {
    return isRemoval(this.#index.reader, this.#inode);
  }

  get isOpaque(): boolean {
    const { type } = this.#inode;
    return this.#isHiding || (type === 'directory' && isOpaque(this.#index.reader, this.#inode));
  }

  *entries(): Generator<[string, LayerNode]> {
    for (const { name, nid } of this.#index.reader.entries(this.#inode))
      yield [name, new ErofsLayerNode(this.#index, nid)];
  }

  child(name: string): LayerNode | undefined {
    const entry = this.#index.reader.child(this.#inode, name);
    return entry === undefined ? undefined : new ErofsLayerNode(this.#index, entry.nid);
  }

  attributes(): NodeAttributes {
    return inodeAttributes(this.#index.reader, this.#inode);
  }

  content(): { file: string; start: number } | undefined {
    const extent = this.#index.reader.extent(this.#inode);
    return extent && { file: this.#index.data[extent.device] ?? '', start: extent.block * 512 };
  }
}
