import type { FileType, NodeAttributes } from '../../archive/tree.ts';
import type { ContentStamp, FileNode, OpenContent } from './file-node.ts';
import type { PlaceFilter } from './file-place.ts';
import { PathSelection, type SelectionState } from './path-selection.ts';
import { resolvePath } from './resolve-path.ts';

/** A tree in which only what a filter lets through is there: directories that aren't wanted themselves, where something in them is. */
export class FilteredNode implements FileNode {
  readonly #node: FileNode;
  readonly #path: string;
  readonly #selection: PathSelection;
  readonly #state: SelectionState | undefined;

  private constructor(
    node: FileNode,
    place: { path: string; selection: PathSelection; state: SelectionState | undefined },
  ) {
    this.#node = node;
    this.#path = place.path;
    this.#selection = place.selection;
    this.#state = place.state;
  }

  static root(node: FileNode, filter: PlaceFilter): FileNode {
    const include = filter.include.length === 0 ? [] : [...filter.include, ...followed(node, filter.follow)];
    const selection = new PathSelection(include, filter.exclude);
    return selection.isEverything ? node : new FilteredNode(node, { path: '', selection, state: undefined });
  }

  get key(): string {
    return this.#node.key;
  }

  get type(): FileType {
    return this.#node.type;
  }

  get size(): number {
    return this.#node.size;
  }

  get links(): number {
    return this.#node.links;
  }

  attributes(): NodeAttributes {
    return this.#node.attributes();
  }

  names(): readonly string[] {
    return this.#node.names().filter((name) => this.child(name) !== undefined);
  }

  child(name: string): FileNode | undefined {
    const node = this.#node.child(name);
    if (node === undefined) return undefined;
    const path = this.#path === '' ? name : `${this.#path}/${name}`;
    const state = this.#selection.look(path, this.#state);
    const child = new FilteredNode(node, { path, selection: this.#selection, state });
    if (state.isSelected) return child;
    const mayHave = node.type === 'directory' && this.#selection.maySelectBelow(path, state);
    return mayHave && child.#hasAny() ? child : undefined;
  }

  open(): OpenContent {
    return this.#node.open();
  }

  stamp(): ContentStamp | undefined {
    return this.#node.stamp();
  }

  #hasAny(): boolean {
    return this.#node.names().some((name) => this.child(name) !== undefined);
  }
}

/** The paths themselves, every link on the way, and what they lead to, as patterns. */
function followed(root: FileNode, paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const links: string[] = [];
    const onLink = (link: readonly string[]): void => void links.push(literal(link.join('/')));
    const end = resolvePath(root, path, { followLast: true, onLink });
    return [path, ...links, literal(end.path.join('/'))].filter((pattern) => pattern !== '');
  });
}

/** The pattern that matches `path` alone. */
function literal(path: string): string {
  return path.replace(/[*?[\]\\!]/g, '\\$&');
}
