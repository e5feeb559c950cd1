import { type BigIntStats, readdirSync } from 'node:fs';
import { comparePathBytes, decodePath } from '../../archive/path-bytes.ts';
import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { LayerNode } from '../layer-node.ts';
import { fileType, fsPath, isOpaque, isWhiteout, nodeAttributes, statNode } from '../node-attributes.ts';
import type { LayerPlace } from '../snapshotter.ts';

/** A node of an unpacked layer. */
export class OverlayLayerNode implements LayerNode {
  readonly #path: string;
  readonly #stat: BigIntStats;
  readonly #isHiding: boolean;
  /** Of a directory, once it is asked for: most look-ups find nothing, and a look at the disk for each takes longer. */
  #names: Set<string> | undefined;

  private constructor(path: string, stat: BigIntStats, isHiding = false) {
    this.#path = path;
    this.#stat = stat;
    this.#isHiding = isHiding;
  }

  static root({ directory, opaqueRoot }: Extract<LayerPlace, { driver: 'overlay' }>): OverlayLayerNode {
    const stat = statNode(directory);
    if (stat === undefined) throw new EngineError('not-found', `No such layer: ${directory}`);
    return new OverlayLayerNode(directory, stat, opaqueRoot);
  }

  get key(): string {
    return `${this.#stat.dev}:${this.#stat.ino}`;
  }

  get type(): FileType {
    return fileType(this.#stat);
  }

  get size(): number {
    return this.#stat.isFile() ? Number(this.#stat.size) : 0;
  }

  get links(): number {
    return Number(this.#stat.nlink);
  }

  get isWhiteout(): boolean {
    return isWhiteout(this.#stat);
  }

  get isOpaque(): boolean {
    return this.#isHiding || (this.#stat.isDirectory() && isOpaque(this.#path));
  }

  *entries(): Generator<[string, LayerNode]> {
    for (const name of [...this.#namesInside()].sort(comparePathBytes)) {
      const node = this.child(name);
      if (node !== undefined) yield [name, node];
    }
  }

  child(name: string): LayerNode | undefined {
    if (!this.#namesInside().has(name)) return undefined;
    const path = `${this.#path}/${name}`;
    const stat = statNode(path);
    return stat === undefined ? undefined : new OverlayLayerNode(path, stat);
  }

  attributes(): NodeAttributes {
    return nodeAttributes(this.#path, this.#stat);
  }

  content(): { file: string; start: number } | undefined {
    return this.size === 0 ? undefined : { file: this.#path, start: 0 };
  }

  #namesInside(): Set<string> {
    this.#names ??= new Set(
      this.#stat.isDirectory() ? readdirSync(fsPath(this.#path), { encoding: 'buffer' }).map(decodePath) : [],
    );
    return this.#names;
  }
}
