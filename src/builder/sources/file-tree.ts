import type { NodeAttributes, Tree } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { FileNode } from './file-node.ts';
import type { FilePlace } from './file-place.ts';
import { OpenPlaces } from './open-file-place.ts';
import { componentsOf } from './resolve-path.ts';

const PIECE_BYTES = 256 << 10;

/** A place as a `Tree`: for a few looks from a thread that answers requests; whoever reads all of it does so in a worker. */
export class FileTree implements Tree {
  readonly #places = new OpenPlaces({ created: 0 });
  readonly #root: FileNode;

  /** @throws EngineError "not-found" where it is gone. */
  constructor(place: FilePlace) {
    this.#root = this.#places.open(place);
  }

  async lookup(path: string): Promise<NodeAttributes | undefined> {
    return this.#find(path)?.attributes();
  }

  async list(path: string): Promise<string[] | undefined> {
    const node = this.#find(path);
    return node?.type === 'directory' ? [...node.names()] : undefined;
  }

  read(path: string): ReadableStream<Uint8Array> {
    const node = this.#find(path);
    if (node === undefined) throw new EngineError('not-found', `No such file: ${JSON.stringify(path)}`);
    if (node.type !== 'file')
      throw new EngineError('invalid', `Cannot read ${JSON.stringify(path)}: not a regular file`);
    return contentStream(node);
  }

  async close(): Promise<void> {
    this.#places.close();
  }

  #find(path: string): FileNode | undefined {
    let node: FileNode | undefined = this.#root;
    for (const name of componentsOf(path)) node = node?.child(name);
    return node;
  }
}

function contentStream(node: FileNode): ReadableStream<Uint8Array> {
  const content = node.open();
  let position = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, node.size - position));
        const count = piece.length === 0 ? 0 : content.read(piece, 0, piece.length, position);
        position += count;
        if (count > 0) return controller.enqueue(piece.subarray(0, count));
        content.close();
        controller.close();
      },
      cancel: () => content.close(),
    },
    { highWaterMark: 0 },
  );
}
