import { PatternMatcher } from '../../archive/pattern-matcher.ts';
import type { NodeAttributes } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { FileNode } from './file-node.ts';
import type { FilePlace } from './file-place.ts';
import { OpenPlaces } from './open-file-place.ts';
import { componentsOf, resolvePath } from './resolve-path.ts';

/** A file as who asks for it sees it. */
export interface FoundFile {
  name: string;
  attributes: NodeAttributes;
}

/** Both are had in one piece, while others wait. */
const MAX_FILE_BYTES = 8 << 20;
const MAX_NAMES = 10_000;

/** Single files of a place, for who wants to look at some. Links are followed inside it. */
export class PlaceFiles {
  readonly #places = new OpenPlaces({ created: 0 });
  readonly #root: FileNode;

  readonly #renamed: { as: string; name: string } | undefined;

  /** `renamed`: the place's only file is asked for by another name. @throws EngineError "not-found" where the place is gone. */
  constructor(place: FilePlace, renamed?: { as: string; name: string }) {
    this.#root = this.#places.open(place);
    this.#renamed = renamed;
  }

  /** @throws EngineError "not-found", in the words of Go's `os`. */
  stat(path: string): FoundFile {
    const { node, name } = this.#find('stat', path);
    return { name, attributes: node.attributes() };
  }

  /** `include`: a pattern of `.dockerignore`'s grammar; '' is everything. @throws EngineError "not-found", "invalid". */
  list(path: string, include: string): FoundFile[] {
    const { node } = this.#find('open', path);
    if (node.type !== 'directory') throw new EngineError('invalid', `${path} is not a directory`);
    const matcher = include === '' ? undefined : new PatternMatcher([include]);
    const names = node.names().filter((name) => matcher?.matches(name) !== false);
    if (names.length > MAX_NAMES)
      throw new EngineError('invalid', `Cannot list ${path}: more than ${MAX_NAMES} names`);
    return names.flatMap((name) => {
      const attributes = node.child(name)?.attributes();
      return attributes === undefined ? [] : [{ name, attributes }];
    });
  }

  /** `length` undefined: to the end. @throws EngineError "not-found"; "invalid" for what is no file, or more than can be had at once. */
  read(path: string, range: { offset: number; length: number | undefined }): Uint8Array {
    const { node } = this.#find('open', path);
    if (node.type !== 'file') throw new EngineError('invalid', `${path} is not a regular file`);
    const left = Math.max(0, node.size - range.offset);
    const length = Math.min(left, range.length ?? left);
    if (length > MAX_FILE_BYTES)
      throw new EngineError('invalid', `Cannot read ${path}: more than ${MAX_FILE_BYTES} bytes`);
    const bytes = new Uint8Array(length);
    const content = node.open();
    try {
      let at = 0;
      for (let count = -1; at < length && count !== 0; at += count)
        count = content.read(bytes, at, length - at, range.offset + at);
      return bytes.subarray(0, at);
    } finally {
      content.close();
    }
  }

  close(): void {
    this.#places.close();
  }

  #find(call: string, path: string): { node: FileNode; name: string } {
    const { as, name } = this.#renamed ?? {};
    const isRenamed = as !== undefined && componentsOf(path).join('/') === as;
    const asked = isRenamed && name !== undefined ? name : path;
    const { node, path: real } = resolvePath(this.#root, asked, { followLast: true });
    if (node === undefined) throw new EngineError('not-found', `${call} ${path}: no such file or directory`);
    return { node, name: (isRenamed ? as : real.at(-1)) ?? '/' };
  }
}
