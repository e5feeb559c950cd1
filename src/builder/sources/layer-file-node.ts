import { readSync } from 'node:fs';
import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { asDirectory, namesIn, type StackNodes, stackChild } from '../../images/explore/layer-walk.ts';
import type { LayerNode } from '../../snapshots/layer-node.ts';
import type { FileNode, OpenContent } from './file-node.ts';
import type { OpenFiles } from './open-files.ts';

const noNames: readonly string[] = [];

/** A path of a stack of layers, as overlayfs would show it. */
export class StackFileNode implements FileNode {
  readonly #nodes: StackNodes;
  readonly #top: LayerNode;
  readonly #files: OpenFiles;

  private constructor(nodes: StackNodes, top: LayerNode, files: OpenFiles) {
    this.#nodes = nodes;
    this.#top = top;
    this.#files = files;
  }

  /** `nodes` topmost first; undefined where they are none. */
  static of(nodes: StackNodes, files: OpenFiles): StackFileNode | undefined {
    const [top] = nodes;
    return top === undefined ? undefined : new StackFileNode(nodes, top, files);
  }

  get key(): string {
    return this.#top.key;
  }

  get type(): FileType {
    return this.#top.type;
  }

  get size(): number {
    return this.#top.size;
  }

  get links(): number {
    return this.#top.links;
  }

  attributes(): NodeAttributes {
    return this.#top.attributes();
  }

  names(): readonly string[] {
    const directory = asDirectory(this.#nodes);
    if (directory.length === 0) return noNames;
    const names = [...namesIn(directory)];
    return names.filter((name) => stackChild(directory, name).length > 0);
  }

  child(name: string): FileNode | undefined {
    return StackFileNode.of(stackChild(asDirectory(this.#nodes), name), this.#files);
  }

  open(): OpenContent {
    return openLayerContent(this.#top, this.#files);
  }

  stamp(): undefined {
    return undefined;
  }
}

/** A node of a received archive: one layer whose names and devices have no further meaning. */
export class ArchiveFileNode implements FileNode {
  readonly #node: LayerNode;
  readonly #files: OpenFiles;

  constructor(node: LayerNode, files: OpenFiles) {
    this.#node = node;
    this.#files = files;
  }

  get key(): string {
    return this.#node.key;
  }

  get type(): FileType {
    return this.#node.type;
  }

  get size(): number {
    return this.#node.size;
  }

  get links(): number {
    return this.#node.links;
  }

  attributes(): NodeAttributes {
    return this.#node.attributes();
  }

  names(): readonly string[] {
    return this.type === 'directory' ? [...this.#node.entries()].map(([name]) => name) : noNames;
  }

  child(name: string): FileNode | undefined {
    const child = this.type === 'directory' ? this.#node.child(name) : undefined;
    return child && new ArchiveFileNode(child, this.#files);
  }

  open(): OpenContent {
    return openLayerContent(this.#node, this.#files);
  }

  stamp(): undefined {
    return undefined;
  }
}

function openLayerContent(node: LayerNode, files: OpenFiles): OpenContent {
  if (node.type !== 'file') throw new EngineError('invalid', 'Cannot read file: it is no regular file');
  const content = node.content();
  if (content === undefined) return { read: () => 0, close: nothing };
  const { file, start } = content;
  const { size } = node;
  return {
    read: (buffer, at, length, position) =>
      readSync(files.get(file), buffer, at, Math.min(length, size - position), start + position),
    close: nothing,
  };
}

function nothing(): void {}
