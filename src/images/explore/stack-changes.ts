import type { LayerNode } from '../../snapshots/layer-node.ts';
import type { FileChange } from '../../wire/image-diff.ts';
import { entryType } from './layer-changes.ts';
import { asDirectory, namesIn, type StackNodes, stackChild, stackRoots } from './layer-walk.ts';
import { haveSameAttributes, haveSameBytes } from './same-node.ts';

/**
 * How the file system of one stack differs from that of another (roots, topmost first), each directory before what is in it. Times don't count.
 * What both have from the same layer isn't looked at; files of one size from elsewhere are read.
 *
 * Yields undefined now and then where nothing differs, so that the caller can look up.
 */
export function stackChanges(
  from: readonly LayerNode[],
  to: readonly LayerNode[],
): Generator<FileChange | undefined> {
  return changesIn(stackRoots(from), stackRoots(to), '');
}

function* changesIn(from: StackNodes, to: StackNodes, directory: string): Generator<FileChange | undefined> {
  yield undefined;
  for (const name of namesIn(from, to)) {
    const before = stackChild(from, name);
    const after = stackChild(to, name);
    if (isSame(before, after)) continue;
    const path = `${directory}/${name}`;
    const change = yield* changeOf(before[0], after[0], path);
    if (change !== undefined) yield change;
    yield* changesIn(asDirectory(before), asDirectory(after), path);
  }
}

/** The same nodes of the same layers, and so everything below them. */
function isSame(before: StackNodes, after: StackNodes): boolean {
  return before.length === after.length && before.every(({ key }, index) => key === after[index]?.key);
}

function* changeOf(
  before: LayerNode | undefined,
  after: LayerNode | undefined,
  path: string,
): Generator<undefined, FileChange | undefined> {
  const shown = after ?? before;
  if (shown === undefined) return undefined;
  const sizes = { FromSize: before?.size ?? 0, ToSize: after?.size ?? 0 };
  const Type = entryType(shown.type);
  if (before === undefined) return { Path: path, Kind: 'added', Type, ...sizes };
  if (after === undefined) return { Path: path, Kind: 'removed', Type, ...sizes };
  const isModified =
    !haveSameAttributes(before.attributes(), after.attributes()) || !(yield* haveSameBytes(before, after));
  return isModified ? { Path: path, Kind: 'modified', Type, ...sizes } : undefined;
}
