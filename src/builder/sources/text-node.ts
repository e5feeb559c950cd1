import type { NodeAttributes } from '../../archive/tree.ts';
import { noXattrs } from '../../archive/xattr-sets.ts';
import type { FileNode, OpenContent } from './file-node.ts';
import type { InlineText } from './file-place.ts';

function attributesOf(type: 'file' | 'directory', size: number): NodeAttributes {
  return {
    type,
    mode: type === 'file' ? 0o644 : 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    size,
    links: 1,
    xattrs: noXattrs,
  };
}

/** A directory of heredocs. */
export class TextsNode implements FileNode {
  readonly key = 'texts';
  readonly type = 'directory';
  readonly size = 0;
  readonly links = 1;
  readonly #texts: ReadonlyMap<string, InlineText>;
  readonly #mtimeSeconds: number;

  constructor(texts: readonly InlineText[], mtimeSeconds: number) {
    this.#texts = new Map(texts.map((text) => [text.name, text]));
    this.#mtimeSeconds = mtimeSeconds;
  }

  attributes(): NodeAttributes {
    return attributesOf('directory', 0);
  }

  names(): readonly string[] {
    return [...this.#texts.keys()].sort();
  }

  child(name: string): FileNode | undefined {
    const text = this.#texts.get(name);
    return text && new TextNode(text, this.#mtimeSeconds);
  }

  open(): never {
    throw new TypeError('a directory has no content');
  }

  stamp(): undefined {
    return undefined;
  }
}

class TextNode implements FileNode {
  readonly type = 'file';
  readonly links = 1;
  readonly key: string;
  readonly #bytes: Buffer;
  readonly #mtimeSeconds: number;

  constructor({ name, data }: InlineText, mtimeSeconds: number) {
    this.key = `text:${name}`;
    this.#bytes = Buffer.from(data);
    this.#mtimeSeconds = mtimeSeconds;
  }

  get size(): number {
    return this.#bytes.length;
  }

  attributes(): NodeAttributes {
    return { ...attributesOf('file', this.size), mtimeSeconds: this.#mtimeSeconds };
  }

  names(): readonly string[] {
    return [];
  }

  child(): undefined {
    return undefined;
  }

  open(): OpenContent {
    const bytes = this.#bytes;
    return {
      read: (buffer, at, length, position) => bytes.copy(buffer, at, position, position + length),
      close: () => undefined,
    };
  }

  stamp(): undefined {
    return undefined;
  }
}
