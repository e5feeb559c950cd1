import { EngineError } from '../../errors/engine-error.ts';
import type { FileNode } from '../sources/file-node.ts';
import { PathSelection, type SelectionState } from '../sources/path-selection.ts';
import { componentsOf, resolvePath } from '../sources/resolve-path.ts';
import type { CopyAction } from './file-action.ts';
import { hasWildcards, matchName } from './match-name.ts';

/** One path that an action names. */
export interface SourceRoot {
  /** Its last component as written or matched; '' for the source's root. */
  name: string;
  node: FileNode;
}

/** A node of a source root's tree that is to be copied. Parents come before what is in them. */
export interface SelectedFile {
  /** Below the source root; '' for itself. */
  path: string;
  node: FileNode;
  /** False: a directory that is there only for what follows. */
  isDirect: boolean;
}

/** What the action's path names in `root`. @throws EngineError "not-found" `"/path": not found`. */
export function sourceRoots(root: FileNode, action: CopyAction): SourceRoot[] {
  const components = cleaned(action.path);
  const at = action.wildcard ? components.findIndex(hasWildcards) : -1;
  if (at === -1) return [namedRoot(root, components, action.followLinks)];
  const base = resolvePath(root, components.slice(0, at).join('/'), { followLast: true }).node;
  const found = base === undefined ? [] : [...matching(base, components.slice(at))];
  const roots = found.map((path) =>
    namedRoot(root, [...components.slice(0, at), ...path], action.followLinks),
  );
  if (roots.length === 0 && !action.allowEmpty) throw notFound(components);
  return roots;
}

/** The components of a path that can't leave its root. */
function cleaned(path: string): string[] {
  const kept: string[] = [];
  for (const name of componentsOf(path))
    if (name === '..') kept.pop();
    else kept.push(name);
  return kept;
}

function namedRoot(root: FileNode, components: readonly string[], followLast: boolean): SourceRoot {
  const { node } = resolvePath(root, components.join('/'), { followLast });
  if (node === undefined) throw notFound(components);
  return { name: components.at(-1) ?? '', node };
}

function notFound(components: readonly string[]): EngineError {
  return new EngineError('not-found', `${JSON.stringify(`/${components.join('/')}`)}: not found`);
}

/** Paths below `directory` whose components match, in order; no link is followed. */
function* matching(directory: FileNode, patterns: readonly string[]): Generator<string[]> {
  const [pattern, ...rest] = patterns;
  if (pattern === undefined) return;
  for (const name of directory.names()) {
    if (!matchName(pattern, name)) continue;
    const node = directory.child(name);
    if (node === undefined) continue;
    if (rest.length === 0) yield [name];
    else if (node.type === 'directory') for (const below of matching(node, rest)) yield [name, ...below];
  }
}

/** Everything of a source root that is to be copied. @throws EngineError "invalid" for a bad pattern. */
export function* selectFiles(
  root: FileNode,
  { include, exclude }: Pick<CopyAction, 'include' | 'exclude'>,
): Generator<SelectedFile> {
  const walk = new Walk(new PathSelection(include, exclude));
  yield* walk.node({ path: '', node: root, isDirect: true }, undefined);
}

class Walk {
  readonly #selection: PathSelection;
  /** Directories above that nobody was told of. */
  readonly #waiting: SelectedFile[] = [];

  constructor(selection: PathSelection) {
    this.#selection = selection;
  }

  *node(file: SelectedFile, state: SelectionState | undefined): Generator<SelectedFile> {
    if (file.isDirect) {
      yield* this.#waiting.splice(0);
      yield file;
    } else this.#waiting.push(file);
    if (file.node.type === 'directory') yield* this.#inside(file, state);
    // Nothing in it was wanted.
    if (this.#waiting.at(-1) === file) this.#waiting.pop();
  }

  *#inside({ path, node }: SelectedFile, above: SelectionState | undefined): Generator<SelectedFile> {
    for (const name of node.names()) {
      const below = path === '' ? name : `${path}/${name}`;
      const state = this.#selection.isEverything ? undefined : this.#selection.look(below, above);
      const isDirect = state?.isSelected ?? true;
      if (!isDirect && state !== undefined && !this.#selection.maySelectBelow(below, state)) continue;
      const child = node.child(name);
      if (child === undefined || (!isDirect && child.type !== 'directory')) continue;
      yield* this.node({ path: below, node: child, isDirect }, state);
    }
  }
}
