import { EngineError } from '../../errors/engine-error.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import type { ContentDigests } from '../sources/content-digests.ts';
import type { FileNode } from '../sources/file-node.ts';
import { componentsOf } from '../sources/resolve-path.ts';
import type { FileAction } from './file-action.ts';
import { selectFiles, sourceRoots } from './select-files.ts';

export interface DigestOptions {
  /** The root of an action's source, and what remembers its files' digests. */
  open: (action: Extract<FileAction, { kind: 'copy' }>) => { root: FileNode; digests: ContentDigests };
  pause: () => Promise<void>;
}

const PAUSE_STEPS = 500;

/**
 * What the actions would take, as one digest: each selected node's place, type, mode, owner, size, link, device, xattrs and content. No times, and nothing of
 * the destination. Hard links are as many files.
 *
 * @throws EngineError "not-found" `"/path": not found`.
 */
export async function digestFiles(actions: readonly FileAction[], options: DigestOptions): Promise<Digest> {
  const hash = new Bun.CryptoHasher('sha256');
  let steps = 0;
  for (const [at, action] of actions.entries()) {
    if (action.kind !== 'copy') continue;
    const { root, digests } = options.open(action);
    // How it is put there, but for what the caller knows: destination, owner, mode.
    hash.update(`${action.contentsOnly ? 'contents' : ''} ${action.unpack ? 'unpack' : ''}`);
    const missing = new Set(action.required);
    const base = componentsOf(action.path);
    for (const source of sourceRoots(root, action)) {
      hash.update(`\0${at}\0${Buffer.from(source.name).toString('hex')}`);
      for (const { path, node, isDirect } of selectFiles(source.node, action)) {
        if (++steps % PAUSE_STEPS === 0) await options.pause();
        // Its own mode is seen only where the directory is made, or changed by what it is part of.
        hash.update(`\0${path.length}\0${path}\0${isDirect ? 1 : 0}`);
        hash.update(digests.of(node));
        if (missing.size > 0) meet(missing, `/${[...base, path].join('/')}`);
      }
    }
    for (const path of missing) throw new EngineError('not-found', `${JSON.stringify(path)}: not found`);
  }
  return parseDigest(`sha256:${hash.digest('hex')}`);
}

/** As BuildKit: a path meets what it begins with. */
function meet(missing: Set<string>, path: string): void {
  for (const required of missing) if (path.startsWith(required)) missing.delete(required);
}
