import { noXattrs } from '../../archive/xattr-sets.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { DraftAttributes, DraftNode } from './draft-node.ts';
import type { UserId } from './user-names.ts';

export interface NewDirectory {
  mode: number;
  /** Undefined: root. */
  owner: UserId | undefined;
  /** Seconds. */
  created: number;
}

/** The directory at `path` (real components), made with those above where they are missing. @throws EngineError "invalid" where something else stands. */
export function makeDirectories(root: DraftNode, path: readonly string[], options: NewDirectory): DraftNode {
  let node = root;
  for (const [at, name] of path.entries()) {
    const child = node.child(name) ?? node.put(name, directoryAttributes(options));
    if (child.type !== 'directory')
      throw new EngineError('invalid', `mkdir /${path.slice(0, at + 1).join('/')}: not a directory`);
    node = child;
  }
  return node;
}

export function directoryAttributes({ mode, owner, created }: NewDirectory): DraftAttributes {
  return {
    type: 'directory',
    mode,
    uid: owner?.uid ?? 0,
    gid: owner?.gid ?? 0,
    mtimeSeconds: created,
    mtimeNanoseconds: 0,
    size: 0,
    xattrs: noXattrs,
  };
}
