import { hostileArchive } from '../archive/archive-error.ts';
import type { LayerRole, TarEntry } from '../archive/entry.ts';
import { layerRole, layerXattrs } from '../archive/layer-role.ts';
import type { NodeAttributes } from '../archive/tree.ts';
import { blockSize } from './format.ts';
import type { ErofsNode, Extent } from './node.ts';
import { impliedDirectory, isWhiteout, whiteoutNode } from './node.ts';

export interface LayerLimits {
  /** Nodes of one layer, implied directories counted. */
  nodes: number;
  /** Symlinks followed on the way to one member's parent, as in the kernel. */
  symlinks: number;
  /** Components of one node's path. */
  depth: number;
}

export const defaultLayerLimits: LayerLimits = { nodes: 2_000_000, symlinks: 40, depth: 4096 };

/** A directory that the layer only implies, of which the chain below may know more. */
export interface ImpliedDirectory {
  path: string;
  node: ErofsNode;
}

const plainRole: LayerRole = { role: 'node' };

interface PendingLink {
  parent: ErofsNode;
  name: string;
  target: string;
  /** What stood there then: if it is another one at the end, a later member took the name. */
  present: ErofsNode | undefined;
}

/**
 * Turns a layer's tar members, in their order, into the tree that overlayfs is to see: whiteouts are devices 0/0, opaque directories
 * are marked. The last member of a name wins; a directory named again keeps its content. Symlinks of the same layer on the way to a
 * member are followed inside the layer, as an extraction into a root would.
 *
 * @throws EngineError "invalid" code archive-hostile for what no extraction could do: a member below a file, a link to nothing.
 */
export class LayerBuilder {
  readonly #root = impliedDirectory();
  readonly #limits: LayerLimits;
  /** Links whose target was not there yet, in order. */
  readonly #pending: PendingLink[] = [];
  #nodes = 1;
  /** The last parent asked for: most members follow a sibling. Forgotten when a directory or symlink goes or comes. */
  #lastParentPath: string | undefined;
  #lastParent = this.#root;

  readonly #plain: boolean;

  /** `plain`: an archive that is no layer: names with `.wh.` are files as any other. */
  constructor({ plain = false, ...limits }: Partial<LayerLimits> & { plain?: boolean } = {}) {
    this.#limits = { ...defaultLayerLimits, ...limits };
    this.#plain = plain;
  }

  /** `extent` says where the content lies when it is not at the member's own place in device 0. */
  add(entry: TarEntry, extent?: Extent): void {
    const role = this.#plain ? plainRole : layerRole(entry);
    if (role.role === 'ignored') return;
    if (role.role === 'whiteout') this.#whiteout(role.target);
    else if (role.role === 'opaque') this.#directory(role.directory).opaque = true;
    else if (entry.path === '') this.#addRoot(entry);
    else if (entry.type === 'hardlink') this.#addLink(entry);
    else this.#place(entry.path, nodeOf(entry, extent));
  }

  /** The tree, when all members were added. @throws EngineError "invalid" code archive-hostile for a link without its target. */
  finish(): ErofsNode {
    // Targets come later in the archive than these links: from the last to the first, links to links are found as well.
    for (const { parent, name, target, present } of this.#pending.reverse()) {
      if (parent.children?.get(name) !== present) continue;
      const node = this.#find(target);
      if (node === undefined || node.type === 'directory' || isWhiteout(node))
        throw hostileArchive(name, `hard link to ${JSON.stringify(target)}, which is not there`);
      parent.children?.set(name, node);
    }
    return this.#root;
  }

  #addRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw hostileArchive('/', 'the root is no directory');
    describe(this.#root, nodeOf(entry, undefined));
  }

  #addLink(entry: TarEntry): void {
    if (entry.linkTarget === entry.path) return;
    const target = this.#find(entry.linkTarget);
    const parent = this.#parentOf(entry.path);
    const name = nameOf(entry.path);
    if (target === undefined) {
      const present = parent.children?.get(name);
      this.#pending.push({ parent, name, target: entry.linkTarget, present });
    } else if (target.type === 'directory' || isWhiteout(target))
      throw hostileArchive(entry.path, `hard link to ${JSON.stringify(entry.linkTarget)}, which is no file`);
    else this.#put(parent, name, target);
  }

  #place(path: string, node: ErofsNode): void {
    const parent = this.#parentOf(path);
    const name = nameOf(path);
    const present = parent.children?.get(name);
    if (present !== undefined && node.type === 'directory') {
      if (present.type === 'directory') return describe(present, node);
      node.opaque = isWhiteout(present);
    }
    this.#count(path);
    this.#put(parent, name, node);
  }

  #put(parent: ErofsNode, name: string, node: ErofsNode): void {
    const present = parent.children?.get(name);
    if (present?.type === 'directory' || present?.type === 'symlink') this.#lastParentPath = undefined;
    parent.children?.set(name, node);
  }

  /** A whiteout hides what is below only: a member of the same layer stays, whichever comes first. */
  #whiteout(target: string): void {
    const parent = this.#parentOf(target);
    const present = parent.children?.get(nameOf(target));
    if (present?.type === 'directory') replaceBelow(present);
    if (present !== undefined) return;
    this.#count(target);
    parent.children?.set(nameOf(target), whiteoutNode());
  }

  #parentOf(path: string): ErofsNode {
    const slash = path.lastIndexOf('/');
    const parentPath = slash === -1 ? '' : path.slice(0, slash);
    if (parentPath === this.#lastParentPath) return this.#lastParent;
    this.#lastParent = this.#directory(parentPath);
    this.#lastParentPath = parentPath;
    return this.#lastParent;
  }

  /** The directory at `path`, made where it is missing. */
  #directory(path: string): ErofsNode {
    const trail = [this.#root];
    const todo = path === '' ? [] : path.split('/').reverse();
    for (let links = 0; ; ) {
      const name = todo.pop();
      const here = trail.at(-1) ?? this.#root;
      if (name === undefined) return here;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const child = here.children?.get(name) ?? this.#imply(here, name, path);
      if (child.type === 'directory') trail.push(child);
      else if (child.type === 'symlink') {
        if (++links > this.#limits.symlinks) throw hostileArchive(path, 'too many symbolic links');
        if (child.linkTarget.startsWith('/')) trail.length = 1;
        todo.push(...child.linkTarget.split('/').reverse());
      } else if (isWhiteout(child)) trail.push(this.#imply(here, name, path, true));
      else throw hostileArchive(path, `${JSON.stringify(name)} is no directory`);
      if (trail.length > this.#limits.depth) throw hostileArchive(path, 'directories are nested too deeply');
    }
  }

  #imply(parent: ErofsNode, name: string, path: string, opaque = false): ErofsNode {
    this.#count(path);
    const node = impliedDirectory();
    if (opaque) replaceBelow(node);
    parent.children?.set(name, node);
    return node;
  }

  /** The node at `path`, its last component not followed; undefined where there is none. */
  #find(path: string): ErofsNode | undefined {
    const trail = [this.#root];
    const todo = path.split('/').reverse();
    for (let links = 0; ; ) {
      const name = todo.pop();
      const here = trail.at(-1) ?? this.#root;
      if (name === undefined) return here;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const child = here.children?.get(name);
      if (child === undefined || todo.length === 0) return child;
      if (child.type === 'directory') trail.push(child);
      else if (child.type !== 'symlink' || ++links > this.#limits.symlinks) return undefined;
      else {
        if (child.linkTarget.startsWith('/')) trail.length = 1;
        todo.push(...child.linkTarget.split('/').reverse());
      }
    }
  }

  #count(path: string): void {
    if (++this.#nodes > this.#limits.nodes)
      throw hostileArchive(path, `layer has more than ${this.#limits.nodes} files`);
  }
}

/** Directories that take their attributes from the chain below, with their paths; those under an opaque one keep root's. */
export function impliedDirectories(root: ErofsNode): ImpliedDirectory[] {
  const found: ImpliedDirectory[] = [];
  const stack: ImpliedDirectory[] = [{ path: '', node: root }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { path, node } = next;
    if (node.implied) found.push(next);
    if (node.opaque) continue;
    for (const [name, child] of node.children ?? [])
      if (child.type === 'directory')
        stack.push({ path: path === '' ? name : `${path}/${name}`, node: child });
  }
  return found;
}

/** Give an implied directory the attributes that the chain below has for it. */
export function inherit(node: ErofsNode, below: NodeAttributes): void {
  node.mode = below.mode;
  node.uid = below.uid;
  node.gid = below.gid;
  node.mtimeSeconds = below.mtimeSeconds;
  node.mtimeNanoseconds = below.mtimeNanoseconds;
  node.xattrs = below.xattrs;
}

/** The directory stands in the place of one that a whiteout removes: nothing of that shows, its attributes neither. */
function replaceBelow(node: ErofsNode): void {
  node.opaque = true;
  node.implied = false;
}

function describe(node: ErofsNode, from: ErofsNode): void {
  node.implied = false;
  node.mode = from.mode;
  node.uid = from.uid;
  node.gid = from.gid;
  node.mtimeSeconds = from.mtimeSeconds;
  node.mtimeNanoseconds = from.mtimeNanoseconds;
  node.xattrs = from.xattrs;
}

function nodeOf(entry: TarEntry, extent: Extent | undefined): ErofsNode {
  const isFile = entry.type === 'file';
  const size = isFile ? (entry.sparse?.realSize ?? entry.size) : 0;
  return {
    type: entry.type === 'hardlink' ? 'file' : entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: entry.mtimeSeconds,
    mtimeNanoseconds: entry.mtimeNanoseconds,
    size,
    extent: size > 0 ? (extent ?? { device: 0, block: entry.dataOffset / blockSize }) : undefined,
    linkTarget: entry.type === 'symlink' ? entry.linkTarget : '',
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
    xattrs: layerXattrs(entry.xattrs),
    children: entry.type === 'directory' ? new Map() : undefined,
    implied: false,
    opaque: false,
  };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
