import { readdirSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { listMounts } from '../../sys/mount.ts';
import { isMountedOnItself } from '../../sys/mount-namespace.ts';

export type RootKind = 'data root' | 'exec root';

/** What an engine makes in its roots; by `sign` such a root is known. */
const CONTENTS: Readonly<Record<RootKind, { names: RegExp; signs: readonly string[] }>> = {
  'data root': {
    names: /^(?:lock|engine-id|state\.db.*|content|layers|containers|volumes|registry|builder)$/,
    signs: ['engine-id', 'state.db', 'registry'],
  },
  'exec root': {
    names:
      /^(?:lock|mount-namespace|notes|exec-notes|health|tasks|rootfs|mounts|shm|netns|oci|probe|names|ports|scratch|build-proof)$/,
    signs: ['mount-namespace', 'lock'],
  },
};

/**
 * Whether there is something of an engine's in a folder, so that it may be taken away.
 *
 * @throws EngineError "conflict" when it is no root of an engine's, or somebody has mounted something in it.
 */
export function checkRoot(path: string, kind: RootKind): boolean {
  const names = entriesOf(path);
  if (names.length === 0) return false;
  const { names: known, signs } = CONTENTS[kind];
  const isOurs = names.some((name) => signs.includes(name)) && names.some((name) => known.test(name));
  if (!isOurs || path === '/')
    throw new EngineError('conflict', `Cannot remove ${path}: it is no ${kind} of this engine`, {
      hint: `Name the one that is: --${kind.replace(' ', '-')} PATH.`,
    });
  refuseMounts(path);
  return true;
}

/** Our own mounts lie in the daemon's namespace; what can be seen from here is somebody's disk. */
function refuseMounts(path: string): void {
  const place = `${realpathSync(path)}/`;
  const foreign = listMounts()
    .map(({ target }) => target)
    .filter((target) => target.startsWith(place) && !target.endsWith('/mount-namespace/pin'));
  if (foreign.length === 0) return;
  throw new EngineError('conflict', `Cannot remove ${path}: ${foreign.join(', ')} is mounted in it`, {
    hint: 'Unmount it first: what lies there would go too.',
  });
}

/**
 * Take an engine's files out of its root, and the folder too where nothing else is in it. The engine is gone and its namespace unmounted.
 *
 * @returns what was left there, since it isn't an engine's.
 */
export function removeRoot(path: string, kind: RootKind): string[] {
  const { names: known } = CONTENTS[kind];
  if (isMountedOnItself(path, listMounts()))
    throw new EngineError('internal', `${path} is still mounted on itself`);
  for (const name of entriesOf(path))
    if (known.test(name)) rmSync(join(path, name), { recursive: true, force: true });
  const left = entriesOf(path);
  if (left.length === 0) removeEmpty(path);
  return left.map((name) => join(path, name));
}

/** A disk of its own is mounted there: the folder is not ours then. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['EBUSY', 'ENOENT'].includes(errnoCodeOf(error) ?? '')) throw error;
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
