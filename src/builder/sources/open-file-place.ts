import { closeSync, constants, openSync } from 'node:fs';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { stackRoots } from '../../images/explore/layer-walk.ts';
import { fsPath } from '../../snapshots/node-attributes.ts';
import { openLayer } from '../../snapshots/open-layer.ts';
import type { LayerPlace } from '../../snapshots/snapshotter.ts';
import { DirectoryNode } from './directory-node.ts';
import type { FileNode } from './file-node.ts';
import type { FilePlace } from './file-place.ts';
import { FilteredNode } from './filtered-node.ts';
import { ArchiveFileNode, StackFileNode } from './layer-file-node.ts';
import { contextChanged, LocalRoot } from './local-node.ts';
import { OpenFiles } from './open-files.ts';
import { TextsNode } from './text-node.ts';

/** Trees of files that are open in this thread, with what they hold. */
export class OpenPlaces {
  readonly #files = new OpenFiles();
  readonly #descriptors: number[] = [];
  readonly #local = new Map<string, LocalRoot>();
  /** Seconds: of what has no time of its own. */
  readonly #created: number;

  constructor(options: { created: number }) {
    this.#created = options.created;
  }

  /** The root of `place`; an empty stack is an empty directory. @throws EngineError "not-found" where it is gone. */
  open(place: FilePlace): FileNode {
    switch (place.kind) {
      case 'layers':
        return this.#stack(place.layers);
      case 'archive':
        return filtered(this.#archive(place), place.filter);
      case 'directory':
        return filtered(this.#directory(place.path), place.filter);
      case 'local':
        return filtered(this.#localRoot(place).node, place.filter);
      case 'texts':
        return new TextsNode(place.texts, this.#created);
    }
  }

  close(): void {
    this.#files.close();
    for (const fd of this.#descriptors.splice(0)) closeSync(fd);
    for (const root of this.#local.values()) root.close();
    this.#local.clear();
  }

  #stack(layers: readonly LayerPlace[]): FileNode {
    const roots = stackRoots(layers.map(openLayer).reverse());
    return StackFileNode.of(roots, this.#files) ?? new TextsNode([], this.#created);
  }

  #archive({ index, data }: Extract<FilePlace, { kind: 'archive' }>): FileNode {
    const layer = openLayer({ driver: 'erofs', index, data: [...data], opaqueRoot: false });
    return new ArchiveFileNode(layer, this.#files);
  }

  #localRoot(place: Extract<FilePlace, { kind: 'local' }>): LocalRoot {
    const key = `${place.device}:${place.inode}`;
    const known = this.#local.get(key);
    if (known !== undefined) return known;
    const root = new LocalRoot(openLocal(place.path));
    this.#local.set(key, root);
    if (`${root.stat.device}:${root.stat.inode}` === key) return root;
    throw contextChanged('');
  }

  #directory(path: string): FileNode {
    try {
      const fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      this.#descriptors.push(fd);
      return DirectoryNode.root({ path, fd });
    } catch (error) {
      const code = errnoCodeOf(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      throw new EngineError('not-found', `No such directory: ${path}`, { cause: error });
    }
  }
}

function openLocal(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw contextChanged('');
  }
}

function filtered(root: FileNode, filter: Extract<FilePlace, { kind: 'archive' }>['filter']): FileNode {
  return filter === undefined ? root : FilteredNode.root(root, filter);
}
