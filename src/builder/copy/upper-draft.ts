import type { DirectoryNode } from '../sources/directory-node.ts';
import type { FileNode } from '../sources/file-node.ts';
import { DraftNode } from './draft-node.ts';

export interface UpperOptions {
  /** Root of what is below. */
  below: FileNode;
  /** Relative paths to leave out, with all that is in them. */
  skip: ReadonlySet<string>;
  pause: () => Promise<void>;
}

const PAUSE_STEPS = 1000;

/**
 * What overlayfs keeps in the upper directory `upper`, as a draft: whiteouts and opaque directories by their meaning, sockets left out. A directory that is
 * there only because something that is skipped was made in it is left out too.
 */
export async function upperDraft(upper: DirectoryNode, options: UpperOptions): Promise<DraftNode> {
  const draft = DraftNode.root(options.below);
  await new UpperWalk(options).inside(upper, draft, '');
  return draft;
}

class UpperWalk {
  readonly #options: UpperOptions;
  readonly #links = new Map<string, DraftNode>();
  #steps = 0;

  constructor(options: UpperOptions) {
    this.#options = options;
  }

  /** @returns whether something was left out there. */
  async inside(directory: DirectoryNode, draft: DraftNode, path: string): Promise<boolean> {
    let hasSkipped = false;
    for (const name of directory.names()) {
      if (++this.#steps % PAUSE_STEPS === 0) await this.#options.pause();
      const place = path === '' ? name : `${path}/${name}`;
      const node = directory.child(name);
      if (this.#options.skip.has(place) || node === undefined) hasSkipped = true;
      else if (node.type === 'directory')
        hasSkipped = (await this.#directory(node, draft, { name, place })) || hasSkipped;
      else this.#leaf(node, draft, name);
    }
    return hasSkipped;
  }

  async #directory(node: DirectoryNode, parent: DraftNode, { name, place }: Place): Promise<boolean> {
    const below = parent.child(name);
    const { links: _, ...attributes } = node.attributes();
    const opaque = node.isOpaque();
    if (below?.type !== 'directory' || opaque) {
      await this.inside(node, parent.put(name, attributes, { isOpaque: opaque }), place);
      return false;
    }
    const hasSkipped = await this.inside(node, below, place);
    const before = below.attributes();
    const isOwned =
      before.mode === attributes.mode && before.uid === attributes.uid && before.gid === attributes.gid;
    const isTimed = before.mtimeSeconds === attributes.mtimeSeconds;
    if (isOwned && !below.isTouched && (hasSkipped || isTimed)) return true;
    below.change(attributes);
    return false;
  }

  #leaf(node: DirectoryNode, parent: DraftNode, name: string): void {
    if (node.type === 'socket') return;
    if (node.isWhiteout()) return parent.remove(name);
    const first = node.links > 1 ? this.#links.get(node.key) : undefined;
    if (first !== undefined) return parent.link(name, first);
    const { links: _, ...attributes } = node.attributes();
    const content =
      node.type === 'file' ? { open: () => node.open(), start: 0, sparse: undefined } : undefined;
    const put = parent.put(name, attributes, { content });
    if (node.links > 1) this.#links.set(node.key, put);
  }
}

interface Place {
  name: string;
  place: string;
}
