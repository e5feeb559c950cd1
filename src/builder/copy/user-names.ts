import { EngineError } from '../../errors/engine-error.ts';
import type { FileNode } from '../sources/file-node.ts';
import { resolvePath } from '../sources/resolve-path.ts';
import type { FileOwner } from './file-action.ts';

export interface UserId {
  uid: number;
  gid: number;
}

const MAX_FILE_BYTES = 10 << 20;
const MAX_ID = 2 ** 32 - 2;

/**
 * Numbers of an owner, names looked up in `root`'s (undefined: a stage without files) /etc/passwd and /etc/group (links followed inside it). A user that isn't there is root, as BuildKit
 * has it, a group the user's own; a number is its own group.
 *
 * @throws EngineError "invalid" for a number no user can have, and for files of users that are none.
 */
export function resolveOwner(owner: FileOwner, root: FileNode | undefined): UserId {
  const { uid, gid } = userOf(owner.user, root);
  return { uid, gid: (owner.group === undefined ? undefined : groupOf(owner.group, root)) ?? gid };
}

/** Whether it depends on the files that are there. */
export function hasNames(owner: FileOwner | undefined): boolean {
  return [owner?.user ?? '', owner?.group ?? '0'].some((part) => part !== '' && numberOf(part) === undefined);
}

function userOf(user: string, root: FileNode | undefined): UserId {
  if (user === '') return { uid: 0, gid: 0 };
  const number = numberOf(user);
  if (number !== undefined) return { uid: number, gid: number };
  for (const fields of linesOf(root, '/etc/passwd'))
    if (fields[0] === user) return { uid: idOf(fields[2]), gid: idOf(fields[3]) };
  return { uid: 0, gid: 0 };
}

function groupOf(group: string, root: FileNode | undefined): number | undefined {
  const number = numberOf(group);
  if (number !== undefined) return number;
  for (const fields of linesOf(root, '/etc/group')) if (fields[0] === group) return idOf(fields[2]);
  return undefined;
}

function numberOf(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  if (value > MAX_ID) throw new EngineError('invalid', `invalid user ID ${JSON.stringify(text)}`);
  return value;
}

/** As Go's parser of these files: what is no number is 0. */
function idOf(text: string | undefined): number {
  return /^[0-9]+$/.test(text ?? '') ? Math.min(Number(text), MAX_ID) : 0;
}

function* linesOf(root: FileNode | undefined, path: string): Generator<string[]> {
  if (root === undefined) throw new EngineError('invalid', 'invalid user index: -1');
  const { node } = resolvePath(root, path, { followLast: true });
  if (node === undefined) return;
  if (node.type !== 'file') throw new EngineError('invalid', `${path} is not a regular file`);
  if (node.size > MAX_FILE_BYTES)
    throw new EngineError('invalid', `"${path}" exceeds ${MAX_FILE_BYTES} bytes`);
  for (const line of textOf(node).split('\n')) if (!line.startsWith('#')) yield line.trim().split(':');
}

function textOf(node: FileNode): string {
  const bytes = Buffer.alloc(node.size);
  const content = node.open();
  try {
    let at = 0;
    for (let count = -1; at < bytes.length && count !== 0; at += count)
      count = content.read(bytes, at, bytes.length - at, at);
    return bytes.toString('utf8', 0, at);
  } finally {
    content.close();
  }
}
