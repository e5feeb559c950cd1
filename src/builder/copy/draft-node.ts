import type { SparseMap } from '../../archive/entry.ts';
import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import type { FileNode, OpenContent } from '../sources/file-node.ts';

/** Where the bytes of a file to be written come from. */
export interface DraftContent {
  open(): OpenContent;
  /** Of the first byte in what `open` gives. */
  start: number;
  /** Of a sparse file: what `open` gives has its segments only, one after the other from `start`. */
  sparse: SparseMap | undefined;
}

export type DraftAttributes = Omit<NodeAttributes, 'links'>;

/**
 * A node of the destination while a layer is made: what the layers below have, and over it what was put there. Nodes of below are looked at when they are
 * asked for.
 */
export class DraftNode {
  readonly #parent: DraftNode | undefined;
  /** Of below: what shows through. */
  readonly #lower: FileNode | undefined;
  #own: DraftAttributes | undefined;
  readonly content: DraftContent | undefined;
  /** Of a directory; undefined for a name that was removed. */
  readonly #children = new Map<string, DraftNode | undefined>();
  /** Stands in the layer: it, or something in it, was put there or removed. */
  #isTouched = false;
  /** Took the place of something below: nothing of that shows through. */
  readonly isOpaque: boolean;
  /** Path of its first name in the layer, once it is written. */
  writtenAs: string | undefined;

  private constructor(options: {
    parent: DraftNode | undefined;
    lower?: FileNode;
    own?: DraftAttributes;
    content?: DraftContent | undefined;
    isOpaque?: boolean;
  }) {
    this.#parent = options.parent;
    this.#lower = options.lower;
    this.#own = options.own;
    this.content = options.content;
    this.isOpaque = options.isOpaque ?? false;
  }

  static root(lower: FileNode): DraftNode {
    return new DraftNode({ parent: undefined, lower });
  }

  get type(): FileType {
    return this.#own?.type ?? this.#lower?.type ?? 'directory';
  }

  get isTouched(): boolean {
    return this.#isTouched;
  }

  get parent(): DraftNode | undefined {
    return this.#parent;
  }

  attributes(): DraftAttributes {
    this.#own ??= this.#lower?.attributes();
    if (this.#own === undefined) throw new TypeError('a node without attributes');
    return this.#own;
  }

  /** Content of a file that was there before. */
  get lower(): FileNode | undefined {
    return this.#lower;
  }

  child(name: string): DraftNode | undefined {
    if (this.#children.has(name)) return this.#children.get(name);
    const lower = this.type === 'directory' ? this.#lower?.child(name) : undefined;
    if (lower === undefined) return undefined;
    const child = new DraftNode({ parent: this, lower });
    this.#children.set(name, child);
    return child;
  }

  /** A new node under `name`, in the place of what was there. */
  put(
    name: string,
    attributes: DraftAttributes,
    { content, isOpaque }: { content?: DraftContent | undefined; isOpaque?: boolean } = {},
  ): DraftNode {
    const hides =
      isOpaque ?? (attributes.type === 'directory' && this.#lower?.child(name)?.type === 'directory');
    const node = new DraftNode({ parent: this, own: attributes, content, isOpaque: hides });
    this.#children.set(name, node);
    node.#isTouched = true;
    this.#touch();
    return node;
  }

  /** Another name of a file that was put somewhere. */
  link(name: string, node: DraftNode): void {
    this.#children.set(name, node);
    this.#touch();
  }

  remove(name: string): void {
    if (this.#hasBelow(name)) this.#children.set(name, undefined);
    else this.#children.delete(name);
    this.#touch();
  }

  /** Other attributes for a node that is there; its type stays. */
  change(attributes: Partial<DraftAttributes>): void {
    this.#own = { ...this.attributes(), ...attributes };
    this.#touch();
  }

  /** What the layer has in this directory: nodes, and undefined for names that are gone from below. */
  *written(): Generator<[name: string, node: DraftNode | undefined]> {
    for (const [name, node] of this.#children) if (node === undefined || node.#isTouched) yield [name, node];
  }

  #hasBelow(name: string): boolean {
    return this.#lower?.child(name) !== undefined;
  }

  #touch(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    if (this.#parent !== undefined) this.#parent.#touch();
  }
}
