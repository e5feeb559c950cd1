import { hostileArchive } from './archive-error.ts';

/** NAME_MAX: no file system that we write to holds a longer component. */
const maxComponentBytes = 255;

/**
 * The path of a member inside the tree: leading `/` stripped, `.`, empty and inner `..` components resolved without looking at the tree,
 * as `filepath.Clean` does for Docker and containerd. `''` is the root.
 *
 * @throws EngineError "invalid" code archive-hostile when it leaves the tree or a component is longer than 255 bytes.
 */
export function cleanMemberPath(name: string): string {
  const path = isClean(name) ? name : resolveDots(name);
  if (path.length > maxComponentBytes / 3) refuseLongComponents(path);
  return path;
}

/** True for `a/b/c` with no component that needs work: the common case, without an allocation. */
function isClean(name: string): boolean {
  let start = 0;
  for (;;) {
    const end = name.indexOf('/', start);
    const stop = end === -1 ? name.length : end;
    if (stop === start) return name.length === 0;
    if (name.charCodeAt(start) === 0x2e && isDots(name, start, stop)) return false;
    if (end === -1) return true;
    start = end + 1;
  }
}

function isDots(name: string, start: number, stop: number): boolean {
  const length = stop - start;
  return length === 1 || (length === 2 && name.charCodeAt(start + 1) === 0x2e);
}

function resolveDots(name: string): string {
  const kept: string[] = [];
  for (const component of name.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') kept.push(component);
    else if (kept.pop() === undefined) throw hostileArchive(name, 'path leaves the archive');
  }
  return kept.join('/');
}

function refuseLongComponents(path: string): void {
  for (const component of path.split('/')) {
    if (component.length <= maxComponentBytes / 3) continue;
    // An escaped byte counts three here instead of one: only then can this be too strict, so count exactly.
    const bytes = component.isWellFormed() ? Buffer.byteLength(component) : escapedLength(component);
    if (bytes > maxComponentBytes) throw hostileArchive(path, 'a component is longer than 255 bytes');
  }
}

function escapedLength(component: string): number {
  let length = 0;
  for (const character of component) {
    const code = character.codePointAt(0) ?? 0;
    length += code >= 0xdc80 && code <= 0xdcff ? 1 : Buffer.byteLength(character);
  }
  return length;
}
