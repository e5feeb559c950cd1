import { comparePathBytes } from '../../archive/path-bytes.ts';
import type { NodeAttributes, Tree } from '../../archive/tree.ts';
import type { WrittenNode } from '../../snapshots/reading/read-request.ts';
import { ROOT_LAYOUT } from '../../snapshots/root-layout.ts';

export interface FileChange {
  /** Absolute, as seen in the container. */
  path: string;
  kind: 'modified' | 'added' | 'deleted';
}

export interface WrittenFiles {
  /** In the order of their paths' bytes, directories before what is in them. */
  changes: FileChange[];
  /** Written paths that are no change of the container's: what a start puts there, and directories that only lead to it. */
  unchanged: string[];
}

/** What a start makes, or puts in the place of the image's. Docker keeps it in a layer of its own, which neither diff nor commit shows. */
const START_FILES = new Map<string, number>(
  ROOT_LAYOUT.flatMap(([path, want]) =>
    want.kind === 'directory' ? [] : [[path, want.kind === 'link' ? want.target.length : 0] as const],
  ),
);
const START_DIRECTORIES = new Set([
  ...ROOT_LAYOUT.flatMap(([path, want]) => (want.kind === 'directory' ? [path] : [])),
  'dev/mqueue',
  'run',
  'sys/fs',
  'sys/fs/cgroup',
]);

/** What a container has changed: its written directory, parents first, against the image's tree (undefined: an image without layers). */
export async function compareWritten(
  nodes: readonly WrittenNode[],
  image: Tree | undefined,
): Promise<WrittenFiles> {
  const comparison = new Comparison(nodes, image);
  // Children first: a directory is changed when something in it is.
  for (const node of nodes.toReversed()) await comparison.add(node);
  return comparison.result();
}

class Comparison {
  readonly #image: Tree | undefined;
  readonly #children: Map<string, Set<string>>;
  readonly #changes: FileChange[] = [];
  readonly #unchanged: string[] = [];
  /** Directories with a change in them, and those with nothing but what a start put there. */
  readonly #changedIn = new Set<string>();
  readonly #touchedIn = new Set<string>();
  readonly #opaque: ReadonlySet<string>;

  constructor(nodes: readonly WrittenNode[], image: Tree | undefined) {
    this.#image = image;
    this.#children = new Map();
    for (const { path } of nodes) {
      const names = this.#children.get(parentOf(path)) ?? new Set();
      this.#children.set(parentOf(path), names.add(nameOf(path)));
    }
    this.#opaque = opaqueOf(nodes);
  }

  async add(node: WrittenNode): Promise<void> {
    const { path } = node;
    const below = await this.#image?.lookup(path);
    if (node.type === 'whiteout') {
      if (below !== undefined) this.#change(path, 'deleted');
      return;
    }
    const isDirectory = node.type === 'directory';
    if (this.#opaque.has(path) && below?.type === 'directory') await this.#hidden(path);
    if (this.#isStarts(node, below)) this.#leaveOut(path);
    else if (below === undefined) this.#change(path, 'added');
    else if (isDirectory && below.type === 'directory' && this.#isSame(node, below))
      this.#unchanged.push(path);
    else this.#change(path, 'modified');
  }

  result(): WrittenFiles {
    const changes = this.#changes.sort((a, b) => comparePathBytes(a.path, b.path));
    return { changes, unchanged: this.#unchanged };
  }

  /** What an opaque directory hides of the image. */
  async #hidden(path: string): Promise<void> {
    const own = this.#children.get(path) ?? new Set();
    for (const name of (await this.#image?.list(path)) ?? [])
      if (!own.has(name)) this.#change(path === '' ? name : `${path}/${name}`, 'deleted');
  }

  #isStarts({ path, type, size }: WrittenNode, below: NodeAttributes | undefined): boolean {
    if (type === 'directory')
      return below?.type !== 'directory' && START_DIRECTORIES.has(path) && !this.#changedIn.has(path);
    return START_FILES.get(path) === size;
  }

  #isSame(node: WrittenNode, below: NodeAttributes): boolean {
    if (this.#changedIn.has(node.path) || node.opaque) return false;
    const owned = node.mode === below.mode && node.uid === below.uid && node.gid === below.gid;
    const timed =
      node.mtimeSeconds === below.mtimeSeconds && node.mtimeNanoseconds === below.mtimeNanoseconds;
    return owned && (timed || this.#touchedIn.has(node.path));
  }

  #change(path: string, kind: FileChange['kind']): void {
    this.#changes.push({ path: `/${path}`, kind });
    this.#changedIn.add(parentOf(path));
  }

  #leaveOut(path: string): void {
    this.#unchanged.push(path);
    this.#touchedIn.add(parentOf(path));
  }
}

/** Directories in which nothing of the image shows: opaque ones, and all written ones below them. */
function opaqueOf(nodes: readonly WrittenNode[]): Set<string> {
  const opaque = new Set<string>();
  for (const { path, type, opaque: own } of nodes)
    if (type === 'directory' && (own || opaque.has(parentOf(path)))) opaque.add(path);
  return opaque;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
