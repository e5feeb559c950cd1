import { comparePathBytes } from '../../archive/path-bytes.ts';
import { type TarMember, TarWriter } from '../../archive/tar-writer.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { DraftContent, DraftNode } from './draft-node.ts';
import type { TarBuffer } from './tar-buffer.ts';

/** What the layer of an image may carry: as Docker, capabilities alone. */
const LAYER_XATTR = 'security.capability';

/**
 * The draft's layer as a tar, names in the order of their bytes: what was put there, the directories above it as they are, whiteouts for what is gone.
 * Times are whole seconds, as in Docker's layers.
 */
export async function writeDraft(root: DraftNode, out: TarBuffer): Promise<void> {
  await new DraftWriter(out).directory(root, '');
  await out.put(new TarWriter().end());
}

class DraftWriter {
  readonly #out: TarBuffer;
  readonly #writer = new TarWriter();

  constructor(out: TarBuffer) {
    this.#out = out;
  }

  async directory(directory: DraftNode, path: string): Promise<void> {
    const prefix = path === '' ? '' : `${path}/`;
    const written = [...directory.written()].sort(([a], [b]) => comparePathBytes(a, b));
    if (directory.isOpaque) await this.#mark(`${prefix}.wh..wh..opq`);
    for (const [name, node] of written) {
      if (node === undefined) await this.#mark(`${prefix}.wh.${name}`);
      else await this.#node(node, prefix + name);
    }
  }

  async #node(node: DraftNode, path: string): Promise<void> {
    if (path.startsWith('.wh.', path.lastIndexOf('/') + 1)) throw ambiguous(path);
    if (node.writtenAs !== undefined && node.type !== 'directory') {
      const linkTarget = node.writtenAs;
      return await this.#out.put(
        this.#writer.header({ ...this.#member(node, path), type: 'hardlink', linkTarget, size: 0 }),
      );
    }
    node.writtenAs = path;
    if (node.type === 'file') return await this.#file(node, path);
    await this.#out.put(this.#writer.header({ ...this.#member(node, path), size: 0 }));
    if (node.type === 'directory') await this.directory(node, path);
  }

  #member(node: DraftNode, path: string): TarMember {
    const { mtimeNanoseconds: _, xattrs, ...attributes } = node.attributes();
    const capability = xattrs.size === 0 ? undefined : xattrs.get(LAYER_XATTR);
    return {
      ...attributes,
      path,
      ...(capability === undefined ? {} : { xattrs: new Map([[LAYER_XATTR, capability]]) }),
    };
  }

  /** An empty file whose name is the message. */
  async #mark(path: string): Promise<void> {
    await this.#out.put(this.#writer.header({ path, type: 'file', mode: 0, size: 0 }));
  }

  async #file(node: DraftNode, path: string): Promise<void> {
    const member = this.#member(node, path);
    const content = node.content ?? contentOfLower(node);
    await this.#out.put(this.#writer.header(member));
    if (member.size > 0 && content !== undefined) await this.#content(content, member);
    this.#writer.content(member.size);
    await this.#out.put(this.#writer.padding());
  }

  async #content(content: DraftContent, { path, size }: TarMember): Promise<void> {
    const { start, sparse } = content;
    const source = content.open();
    try {
      const short = (): EngineError =>
        new EngineError(
          'invalid',
          `Cannot copy ${JSON.stringify(`/${path}`)}: it became shorter while it was read`,
        );
      if (sparse === undefined) return await this.#out.copy(source, { start, length: size, short });
      let [position, stored] = [0, start];
      for (const { offset, length } of sparse.segments) {
        await this.#out.zeros(offset - position);
        await this.#out.copy(source, { start: stored, length, short });
        position = offset + length;
        stored += length;
      }
      await this.#out.zeros(size - position);
    } finally {
      source.close();
    }
  }
}

/** A layer can't have it: it would remove another file. */
function ambiguous(path: string): EngineError {
  return new EngineError(
    'invalid',
    `Cannot copy to ${JSON.stringify(`/${path}`)}: a name that begins with .wh. says in a layer that a file is gone`,
  );
}

/** A file of the layers below whose attributes were changed, or that got another name. */
function contentOfLower({ lower }: DraftNode): DraftContent | undefined {
  return lower && { open: () => lower.open(), start: 0, sparse: undefined };
}
