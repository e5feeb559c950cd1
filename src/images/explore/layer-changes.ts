import type { FileType } from '../../archive/tree.ts';
import type { LayerNode } from '../../snapshots/layer-node.ts';
import type { ChangeKind, EntryType } from '../../wire/image-layers.ts';
import { asDirectory, namesIn, type StackNodes, stackChild, stackRoots } from './layer-walk.ts';
import { haveSameAttributes } from './same-node.ts';

/** One path of one layer. */
export interface LayerChange {
  /** From the root, with a leading slash. */
  path: string;
  kind: ChangeKind;
  /** Of what was there, for one that is removed. */
  type: EntryType;
  node: LayerNode | undefined;
  /** A later layer replaces or removes it. */
  isWasted: boolean;
}

interface Place {
  path: string;
  /** What the layers below show here. */
  below: StackNodes;
  /** The directories of later layers here. */
  above: readonly LayerNode[];
  isWasted: boolean;
}

/**
 * What layer `at` of `layers` (roots, lowest first) brings, each directory before what is in it. Nothing is a whiteout of nothing, and a directory that is
 * as it was below.
 */
export function layerChanges(layers: readonly LayerNode[], at: number): Generator<LayerChange> {
  const above = layers.slice(at + 1);
  const root = layers[at];
  if (root === undefined) throw new RangeError(`no layer ${at}`);
  const below = stackRoots(layers.slice(0, at).reverse());
  return changesIn(root, { path: '', below, above, isWasted: above.some(({ isOpaque }) => isOpaque) });
}

function* changesIn(directory: LayerNode, place: Place): Generator<LayerChange> {
  const hidden = directory.isOpaque ? place.below : [];
  for (const name of namesIn([directory, ...hidden])) {
    const node = directory.child(name);
    const path = `${place.path}/${name}`;
    const below = stackChild(place.below, name);
    const gone = below[0];
    const over = node === undefined ? [] : place.above.flatMap((layer) => layer.child(name) ?? []);
    const fate = fateOf(node, over);
    const isWasted = place.isWasted || fate.isReplaced;
    if (node === undefined || node.isWhiteout) {
      if (gone !== undefined)
        yield { path, kind: 'removed', type: entryType(gone.type), node: undefined, isWasted };
      continue;
    }
    const kind = gone === undefined ? 'added' : 'modified';
    if (gone === undefined || !isAsBefore(gone, node))
      yield { path, kind, type: entryType(node.type), node, isWasted };
    if (node.type === 'directory')
      yield* changesIn(node, { path, below: asDirectory(below), above: fate.merged, isWasted });
  }
}

/** A directory that a layer has only because of what it puts into it. */
function isAsBefore(before: LayerNode, now: LayerNode): boolean {
  if (before.type !== 'directory' || now.type !== 'directory' || now.isOpaque) return false;
  const [a, b] = [before.attributes(), now.attributes()];
  return (
    haveSameAttributes(a, b) && a.mtimeSeconds === b.mtimeSeconds && a.mtimeNanoseconds === b.mtimeNanoseconds
  );
}

/** What later layers, lowest first, make of a node: directories merge until one hides what is below it. */
function fateOf(
  node: LayerNode | undefined,
  over: readonly LayerNode[],
): { isReplaced: boolean; merged: LayerNode[] } {
  const merges = node?.type === 'directory' && over.every((other) => other.type === 'directory');
  const isReplaced = over.length > 0 && (!merges || over.some(({ isOpaque }) => isOpaque));
  return isReplaced ? { isReplaced, merged: [] } : { isReplaced, merged: [...over] };
}

export function entryType(type: FileType): EntryType {
  return type === 'char' || type === 'block' ? 'device' : type;
}

/** Adds up a layer's changes; the bytes of a file with several names count once, and as wasted where all of its names are. */
export class LayerTally {
  files = 0;
  size = 0;
  wastedSize = 0;
  /** Files with several names, and whether one of them is still to be seen. */
  readonly #linked = new Map<string, boolean>();

  add({ node, isWasted }: LayerChange): void {
    this.files++;
    if (node === undefined || node.size === 0) return;
    if (node.links > 1) this.#addLinked(node, isWasted);
    else this.#count(node.size, isWasted);
  }

  #addLinked({ key, size }: LayerNode, isWasted: boolean): void {
    const isSeen = this.#linked.get(key);
    if (isSeen === undefined) this.#count(size, isWasted);
    else if (!isSeen && !isWasted) this.wastedSize -= size;
    this.#linked.set(key, isSeen === true || !isWasted);
  }

  #count(size: number, isWasted: boolean): void {
    this.size += size;
    if (isWasted) this.wastedSize += size;
  }
}
