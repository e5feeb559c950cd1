import { mkdirSync, unlinkSync } from 'node:fs';
import { hostileArchive } from '../../archive/archive-error.ts';
import { comparePathBytes } from '../../archive/path-bytes.ts';
import { fsPath, isWhiteout, markOpaque, readLink, statNode } from '../node-attributes.ts';

/** As the kernel: more symlinks than that on one way are a loop. */
const maxSymlinks = 40;

/** A path of the layer. */
export interface BelowPath {
  path: string;
  /** False where the layer hides what the layers below have there. */
  below: boolean;
}

/**
 * Finds, and makes where they are missing, the directories that members lie in. The result never has a symlink in it: those that a
 * layer has are resolved inside its root, so `..` at the root is the root.
 */
export class DirectoryResolver {
  /** Path as members write it → the same without symlinks. */
  readonly #known = new Map<string, string>([['', '']]);
  readonly #implied = new Set<string>(['']);
  #made = 0;
  /** Directories that hide what the layers below have in them; true: and what they themselves are there. */
  readonly #hidden = new Map<string, boolean>();

  /** Directories made so far: one member can imply two thousand. */
  get made(): number {
    return this.#made;
  }

  /** `member` is named in errors. @throws EngineError "invalid" where a component is no directory, or symlinks loop. */
  resolve(path: string, member: string): string {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const parent = slash === -1 ? '' : this.resolve(path.slice(0, slash), member);
    const real = this.#walk(parent, [path.slice(slash + 1)], member);
    this.#known.set(path, real);
    return real;
  }

  /** A directory that a member made: nothing to find, and not implied. */
  add(path: string, real: string): void {
    this.#known.set(path, real);
    this.#implied.delete(real);
  }

  /** What stood at `real` has been removed. */
  forget(real: string): void {
    this.#known.clear();
    this.#known.set('', '');
    for (const paths of [this.#implied, this.#hidden])
      for (const path of paths.keys()) if (path === real || path.startsWith(`${real}/`)) paths.delete(path);
  }

  /** The layer hides what lies below in this directory; `removed`: the directory was taken away there and is a new one. */
  hide(real: string, { removed }: { removed: boolean }): void {
    markOpaque(`/${real}`);
    this.#hidden.set(real, removed || this.#hidden.get(real) === true);
  }

  /** Directories that no member describes, parents before what lies in them; `below`: one may stand in the layers below. */
  implied(): BelowPath[] {
    return [...this.#implied].sort(comparePathBytes).map((path) => this.below(path));
  }

  /** Whether what the layers below have at `path` shows through. */
  below(path: string): BelowPath {
    return { path, below: !this.#isHidden(path) };
  }

  #isHidden(path: string): boolean {
    if (this.#hidden.get(path) === true) return true;
    for (let at = path.lastIndexOf('/'); at !== -1; at = path.lastIndexOf('/', at - 1))
      if (this.#hidden.has(path.slice(0, at))) return true;
    return false;
  }

  #walk(from: string, components: string[], member: string): string {
    let real = from;
    let symlinks = 0;
    const todo = [...components];
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        real = real.slice(0, Math.max(0, real.lastIndexOf('/')));
        continue;
      }
      const next = real === '' ? name : `${real}/${name}`;
      const target = this.#step(next, member);
      if (target === undefined) real = next;
      else {
        if (++symlinks > maxSymlinks) throw hostileArchive(member, 'too many symbolic links on the way');
        if (target.startsWith('/')) real = '';
        todo.unshift(...target.split('/'));
      }
    }
    return real;
  }

  /** Make sure that a directory is there; the target where a symlink is. */
  #step(path: string, member: string): string | undefined {
    const absolute = `/${path}`;
    const found = statNode(absolute);
    if (found?.isDirectory() === true) return undefined;
    if (found?.isSymbolicLink() === true) return readLink(absolute);
    if (found !== undefined && !isWhiteout(found))
      throw hostileArchive(member, `${JSON.stringify(path)} is no directory`);
    if (found !== undefined) unlinkSync(fsPath(absolute));
    mkdirSync(fsPath(absolute), 0o755);
    this.#made++;
    this.#implied.add(path);
    if (found !== undefined) this.hide(path, { removed: true });
    return undefined;
  }
}
