import { lchownSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Ids } from '../sys/id-map.ts';
import { fsPath, statNode } from './node-attributes.ts';

/** Make a directory in a container's root, with those that lead to it; what wasn't there becomes the owner's. There already is fine. */
export function makeDirectories(path: string, owner: Ids | undefined): void {
  const missing: string[] = [];
  if (owner !== undefined) for (let at = path; statNode(at) === undefined; at = dirname(at)) missing.push(at);
  mkdirSync(fsPath(path), { recursive: true, mode: 0o755 });
  if (owner !== undefined) for (const made of missing) lchownSync(fsPath(made), owner.uid, owner.gid);
}
