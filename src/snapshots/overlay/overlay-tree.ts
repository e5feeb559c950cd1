import type { BigIntStats } from 'node:fs';
import { readdirSync } from 'node:fs';
import { comparePathBytes, decodePath } from '../../archive/path-bytes.ts';
import type { NodeAttributes, Tree } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { fsPath, isOpaque, isWhiteout, nodeAttributes, statNode } from '../node-attributes.ts';
import { fileStream } from './file-stream.ts';

type Found = { kind: 'node'; path: string; stat: BigIntStats } | { kind: 'absent' | 'hidden' };

/**
 * The stack of unpacked layers as overlayfs would show it, read straight from their directories, topmost first. No symlink is ever
 * followed: layers are immutable and each component is looked at before the next.
 */
export class OverlayTree implements Tree {
  readonly #layers: readonly string[];

  constructor(layers: readonly string[]) {
    this.#layers = layers;
  }

  lookup(path: string): Promise<NodeAttributes | undefined> {
    return attempt(() => this.lookupSync(path));
  }

  lookupSync(path: string): NodeAttributes | undefined {
    const [top] = this.#find(path);
    return top === undefined ? undefined : nodeAttributes(top.path, top.stat);
  }

  list(path: string): Promise<string[] | undefined> {
    return attempt(() => {
      const nodes = this.#find(path);
      if (nodes[0]?.stat.isDirectory() !== true) return undefined;
      return mergedNames(nodes.map((node) => node.path));
    });
  }

  read(path: string): ReadableStream<Uint8Array> {
    const [top] = this.#find(path);
    if (top === undefined) throw new EngineError('not-found', `No such file: ${path}`);
    if (!top.stat.isFile()) throw new EngineError('invalid', `Cannot read ${path}: no regular file`);
    return fileStream(fsPath(top.path));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The node at `path`, and for a directory those that it is merged with, topmost first. */
  #find(path: string): { path: string; stat: BigIntStats }[] {
    const components = path === '' ? [] : path.split('/');
    const nodes: { path: string; stat: BigIntStats }[] = [];
    for (const layer of this.#layers) {
      const { found, last } = findInLayer(layer, components);
      if (found.kind === 'hidden') break;
      if (found.kind === 'node') {
        if (nodes.length > 0 && !found.stat.isDirectory()) break;
        nodes.push(found);
        if (!found.stat.isDirectory()) break;
      }
      if (last) break;
    }
    return nodes;
  }
}

/** `last`: this layer hides the ones below it here. */
function findInLayer(layer: string, components: readonly string[]): { found: Found; last: boolean } {
  let path = layer;
  let stat = statNode(layer);
  let last = false;
  for (const [index, component] of components.entries()) {
    path = `${path}/${component}`;
    stat = statNode(path);
    if (stat === undefined) break;
    if (isWhiteout(stat)) return { found: { kind: 'hidden' }, last: true };
    if (stat.isDirectory()) last ||= isOpaque(path);
    else if (index < components.length - 1) return { found: { kind: 'hidden' }, last: true };
  }
  return { found: stat === undefined ? { kind: 'absent' } : { kind: 'node', path, stat }, last };
}

function mergedNames(directories: string[]): string[] {
  const seen = new Map<string, boolean>();
  for (const directory of directories) {
    for (const bytes of readdirSync(fsPath(directory), { encoding: 'buffer' })) {
      const name = decodePath(bytes);
      if (seen.has(name)) continue;
      const stat = statNode(`${directory}/${name}`);
      seen.set(name, stat !== undefined && !isWhiteout(stat));
    }
  }
  return [...seen]
    .filter(([, visible]) => visible)
    .map(([name]) => name)
    .sort(comparePathBytes);
}

function attempt<T>(action: () => T): Promise<T> {
  return new Promise((resolve) => resolve(action()));
}
