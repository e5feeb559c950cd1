import type { BigIntStats } from 'node:fs';
import { readdirSync } from 'node:fs';
import { comparePathBytes, decodePath } from '../../archive/path-bytes.ts';
import { fsPath, statNode } from '../node-attributes.ts';

export interface WalkedNode {
  /** Relative to the root. */
  path: string;
  stat: BigIntStats;
}

/**
 * Everything below `from`, a directory of this process's root, each directory before what is in it, names in the order of their bytes. What goes away meanwhile is left out; a
 * directory that `skips` is not entered.
 */
export function* walkRoot(skips: (path: string) => boolean, from = ''): Generator<WalkedNode> {
  const todo = [childrenOf(from)];
  while (todo.length > 0) {
    const path = todo.at(-1)?.pop();
    if (path === undefined) {
      todo.pop();
      continue;
    }
    if (skips(path)) continue;
    const stat = statNode(`/${path}`);
    if (stat === undefined) continue;
    yield { path, stat };
    if (stat.isDirectory()) todo.push(childrenOf(path));
  }
}

/** Last one first. */
function childrenOf(directory: string): string[] {
  const prefix = directory === '' ? '' : `${directory}/`;
  try {
    return readdirSync(fsPath(`/${directory}`), { encoding: 'buffer' })
      .map(decodePath)
      .sort((a, b) => comparePathBytes(b, a))
      .map((name) => prefix + name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** What a running container does to its files while they are read. */
export function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // A link that is none any more, when it is read.
  if (code === 'EINVAL') return (error as NodeJS.ErrnoException).syscall === 'readlink';
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO';
}
