import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Ids } from '../sys/id-map.ts';

type Want = { kind: 'directory' } | { kind: 'file'; empty?: true } | { kind: 'link'; target: string };

/** What the engine adds to every container's root, parents first; no change of the container's own. */
export const ROOT_LAYOUT: readonly (readonly [path: string, want: Want])[] = [
  ['proc', { kind: 'directory' }],
  ['sys', { kind: 'directory' }],
  ['dev', { kind: 'directory' }],
  ['dev/console', { kind: 'file' }],
  ['dev/pts', { kind: 'directory' }],
  ['dev/shm', { kind: 'directory' }],
  ['etc', { kind: 'directory' }],
  ['etc/hosts', { kind: 'file' }],
  ['etc/hostname', { kind: 'file' }],
  ['etc/resolv.conf', { kind: 'file' }],
  ['etc/mtab', { kind: 'link', target: '/proc/mounts' }],
  ['.dockerenv', { kind: 'file', empty: true }],
];

/**
 * Make what a container's root has in Docker whatever the image is: places to mount on, `/.dockerenv`, `/etc/mtab`. A link or file of the
 * image in such a place is replaced, never followed; a directory stays.
 *
 * Only for a mounted root in which nobody else works, before a start. `owner`: whom on the host its root is.
 */
export function layOutRoot(root: string, owner?: Ids): void {
  for (const [path, want] of ROOT_LAYOUT) layOut(join(root, path), want, owner);
}

function layOut(path: string, want: Want, owner: Ids | undefined): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true || (found !== undefined && fits(path, found, want))) return;
  if (found !== undefined) unlinkSync(path);
  if (want.kind === 'link') symlinkSync(want.target, path);
  else if (want.kind === 'directory') mkdirSync(path);
  else writeFileSync(path, '', { flag: 'wx' });
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  if (want.kind !== 'link') chmodSync(path, 0o755);
}

function fits(path: string, found: Stats, want: Want): boolean {
  if (want.kind === 'link') return found.isSymbolicLink() && readlinkSync(path) === want.target;
  if (want.kind === 'directory' || !found.isFile()) return false;
  return want.empty !== true || (found.size === 0 && (found.mode & 0o7777) === 0o755);
}
