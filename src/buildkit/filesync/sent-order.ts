import { comparePathBytes, encodePath } from '../../archive/path-bytes.ts';
import type { FileType } from '../../archive/tree.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { FileStat } from './packet.ts';

interface OpenDirectory {
  path: string;
  /** The name that came last in it. */
  last: string;
}

const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4096;
const MAX_DEPTH = 1024;

/**
 * Holds a sender to what makes its paths safe to create: each is relative and clean, lies in a directory that came before it, comes after its
 * predecessor, and so comes once; a hard link's target came before it and is a file.
 */
export class SentOrder {
  readonly #open: OpenDirectory[] = [{ path: '', last: '' }];
  readonly #files = new Set<string>();

  /** @throws EngineError "invalid" code archive-hostile. */
  check(stat: FileStat, type: FileType): void {
    const { path, linkname } = stat;
    const parts = path.split('/');
    const name = parts.at(-1) ?? '';
    checkPath(path, parts);
    const parent = parts.slice(0, -1).join('/');
    while (this.#open.length > 1 && !isBelow(parent, this.#open.at(-1)?.path ?? '')) this.#open.pop();
    const directory = this.#open.at(-1);
    if (directory === undefined || directory.path !== parent)
      throw refusal(path, 'it is in no directory that was sent');
    if (directory.last !== '' && comparePathBytes(directory.last, name) >= 0)
      throw refusal(path, `it comes after ${JSON.stringify(directory.last)}`);
    directory.last = name;
    if (type === 'directory') this.#open.push({ path, last: '' });
    if (type !== 'file') return;
    if (linkname === '') this.#files.add(path);
    else if (!this.#files.has(linkname)) throw refusal(path, 'it links to what is no file that was sent');
  }
}

function checkPath(path: string, parts: readonly string[]): void {
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw refusal(path, 'it is no clean relative path');
  if (parts.length > MAX_DEPTH || encodePath(path).length > MAX_PATH_BYTES)
    throw refusal(path, 'it is too long');
  if (encodePath(parts.at(-1) ?? '').length > MAX_NAME_BYTES) throw refusal(path, 'its name is too long');
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`);
}

function refusal(path: string, reason: string): EngineError {
  return new EngineError('invalid', `Cannot receive ${JSON.stringify(path)}: ${reason}`, {
    code: 'archive-hostile',
  });
}
