import { EngineError } from '../../errors/engine-error.ts';
import type { FileNode } from '../sources/file-node.ts';
import { componentsOf, resolvePath } from '../sources/resolve-path.ts';
import { type ModeChange, octalMode, parseModeChange } from './change-mode.ts';
import type { DraftAttributes, DraftNode } from './draft-node.ts';
import type { CopyAction } from './file-action.ts';
import { makeDirectories } from './make-directories.ts';
import { type SelectedFile, type SourceRoot, selectFiles, sourceRoots } from './select-files.ts';
import type { UserId } from './user-names.ts';

export interface CopyContext {
  destination: DraftNode;
  /** Undefined: files keep their owners, and new directories are root's. */
  owner: UserId | undefined;
  /** Seconds. */
  created: number;
  /** Extract the archive `source` into `directory`. Resolves to false when it is none. */
  unpack: (source: FileNode, directory: () => DraftNode) => Promise<boolean>;
  /** Now and then: let the thread hear whether anybody still waits. */
  pause: () => Promise<void>;
}

/**
 * Put what `action` selects of `source` into the draft, as BuildKit's copy does: a link at the destination is followed inside the root, links below it
 * aren't; directories that are there keep their attributes at the top and take the source's below.
 *
 * @throws EngineError "not-found" for a missing source, "invalid" in BuildKit's words for what can't stand where it should.
 */
export async function copyFiles(action: CopyAction, source: FileNode, context: CopyContext): Promise<void> {
  const copy = new Copy(action, context);
  for (const root of sourceRoots(source, action)) await copy.from(root);
}

class Copy {
  readonly #action: CopyAction;
  readonly #context: CopyContext;
  readonly #changeMode: ModeChange | undefined;
  /** Of directories made on the way. */
  readonly #madeMode: number;

  constructor(action: CopyAction, context: CopyContext) {
    this.#action = action;
    this.#context = context;
    this.#changeMode = parseModeChange(action.mode);
    this.#madeMode = (octalMode(action.mode) ?? 0o755) & 0o777;
  }

  async from(root: SourceRoot): Promise<void> {
    if (this.#action.unpack && root.node.type === 'file') {
      const { destination } = this.#action;
      const directory = (): DraftNode => this.#directory(this.#resolve(destination), 0o755);
      if (await this.#context.unpack(root.node, directory)) return;
    }
    await new TreeCopy(this.#context, this.#changeMode).copy(root.node, this.#target(root), this.#action);
  }

  /** Where a source root goes; the directories above are there then. */
  #target({ name, node }: SourceRoot): Target {
    const { destination, contentsOnly } = this.#action;
    const slash = destination.lastIndexOf('/');
    const last = destination.slice(slash + 1);
    const above = last === '' || last === '.' ? destination : destination.slice(0, slash + 1);
    this.#directory(this.#resolve(above));
    let path = this.#resolve(destination);
    const present = this.#at(path);
    const isDirectory = node.type === 'directory';
    const goesInside = isDirectory ? !contentsOnly && present !== undefined : present?.type === 'directory';
    if (goesInside && name !== '') path = [...path, name];
    const madeHere = contentsOnly && isDirectory && present === undefined;
    this.#directory(madeHere ? path : path.slice(0, -1));
    return path;
  }

  #resolve(path: string): Target {
    return resolvePath(this.#context.destination, componentsBelowRoot(path), { followLast: true }).path;
  }

  #at(path: Target): DraftNode | undefined {
    let node: DraftNode | undefined = this.#context.destination;
    for (const name of path) node = node?.child(name);
    return node;
  }

  #directory(path: Target, mode = this.#madeMode): DraftNode {
    const { destination, owner, created } = this.#context;
    return makeDirectories(destination, path, { mode, owner, created });
  }
}

/** Real components, from the root. */
type Target = readonly string[];

/** `..` at the root leads nowhere. */
function componentsBelowRoot(path: string): string {
  return componentsOf(path).join('/');
}

/** One source root's tree. */
class TreeCopy {
  readonly #context: CopyContext;
  readonly #changeMode: ModeChange | undefined;
  /** Files with several names that were copied, by their node. */
  readonly #links = new Map<string, DraftNode>();
  #directories = new Map<string, DraftNode>();
  #steps = 0;

  constructor(context: CopyContext, changeMode: ModeChange | undefined) {
    this.#context = context;
    this.#changeMode = changeMode;
  }

  async copy(root: FileNode, target: Target, action: CopyAction): Promise<void> {
    for (const file of selectFiles(root, action)) {
      if (++this.#steps % PAUSE_STEPS === 0) await this.#context.pause();
      this.#file(file, target);
    }
  }

  #file(file: SelectedFile, target: Target): void {
    const { path, node } = file;
    const slash = path.lastIndexOf('/');
    const name = path === '' ? (target.at(-1) ?? '') : path.slice(slash + 1);
    const place = path === '' ? [...target] : [...target, ...path.split('/')];
    if (place.length === 0) {
      this.#directories.set('', this.#context.destination);
      if (node.type !== 'directory') throw cannotReplace([]);
      return;
    }
    const parent =
      path === '' ? this.#parentOf(target) : this.#directories.get(slash === -1 ? '' : path.slice(0, slash));
    if (parent === undefined)
      throw new EngineError('internal', `Cannot copy ${path}: its directory is missing`);
    if (node.type === 'directory')
      this.#directories.set(path, this.#directory(file, parent, { name, place }));
    else this.#leaf(node, parent, { name, place });
  }

  #parentOf(target: Target): DraftNode | undefined {
    let node: DraftNode | undefined = this.#context.destination;
    for (const name of target.slice(0, -1)) node = node?.child(name);
    return node;
  }

  #directory({ path, node, isDirect }: SelectedFile, parent: DraftNode, { name, place }: Place): DraftNode {
    const present = parent.child(name);
    if (present === undefined) return parent.put(name, this.#attributes(node));
    if (present.type !== 'directory')
      throw new EngineError('invalid', `cannot copy to non-directory: /${place.join('/')}`);
    const attributes = this.#attributes(node);
    const { mtimeSeconds, mtimeNanoseconds } = attributes;
    if (path === '') present.change({ mtimeSeconds, mtimeNanoseconds });
    else if (isDirect) present.change({ ...attributes, xattrs: joined(present, attributes) });
    else present.change({ mode: node.attributes().mode });
    return present;
  }

  #leaf(node: FileNode, parent: DraftNode, { name, place }: Place): void {
    const present = parent.child(name);
    if (present?.type === 'directory') throw cannotReplace(place);
    const isLinked = node.type === 'file' && node.links > 1;
    const first = isLinked ? this.#links.get(node.key) : undefined;
    if (first !== undefined) return parent.link(name, first);
    const content =
      node.type === 'file' ? { open: () => node.open(), start: 0, sparse: undefined } : undefined;
    const put = parent.put(name, this.#attributes(node), { content });
    if (isLinked) this.#links.set(node.key, put);
  }

  #attributes(node: FileNode): DraftAttributes {
    const { links: _, ...attributes } = node.attributes();
    const { owner } = this.#context;
    if (owner !== undefined) Object.assign(attributes, owner);
    const isDirectory = attributes.type === 'directory';
    if (this.#changeMode !== undefined && attributes.type !== 'symlink')
      attributes.mode = this.#changeMode(attributes.mode, isDirectory);
    // As BuildKit: what can't be in an archive is copied as an empty file.
    return attributes.type === 'socket' ? { ...attributes, type: 'file', size: 0 } : attributes;
  }
}

interface Place {
  name: string;
  place: readonly string[];
}

const PAUSE_STEPS = 1000;

function joined(present: DraftNode, { xattrs }: DraftAttributes): DraftAttributes['xattrs'] {
  const before = present.attributes().xattrs;
  return before.size === 0 ? xattrs : new Map([...before, ...xattrs]);
}

function cannotReplace(place: readonly string[]): EngineError {
  return new EngineError('invalid', `cannot replace to directory /${place.join('/')} with file`);
}
