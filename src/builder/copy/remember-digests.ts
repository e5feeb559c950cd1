import type { Digest } from '../../oci/digest.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type { FileAction } from './file-action.ts';
import type { FileRunner } from './file-job.ts';

const MAX_KEPT = 200;
/** Actions that tell more than this aren't worth a place. */
const MAX_KEY_CHARS = 64 << 10;

/** The same runner, which knows the digests of the last while: of files that cannot have changed since, none is looked at again. */
export function rememberDigests(runner: FileRunner): FileRunner {
  const known = new Map<string, Digest>();
  return {
    ...runner,
    digest: async (job, options) => {
      const key = keyOf(job.actions);
      const before = key === undefined ? undefined : known.get(key);
      if (before !== undefined) return before;
      const digest = await runner.digest(job, options);
      if (key === undefined) return digest;
      known.set(key, digest);
      for (const oldest of known.keys()) {
        if (known.size <= MAX_KEPT) break;
        known.delete(oldest);
      }
      return digest;
    },
  };
}

/** Undefined where the files may change under the same name. */
function keyOf(actions: readonly FileAction[]): string | undefined {
  const isFixed = actions.every((action) => action.kind !== 'copy' || isFixedPlace(action.source));
  if (!isFixed) return undefined;
  const key = JSON.stringify(actions);
  return key.length <= MAX_KEY_CHARS ? key : undefined;
}

/** Layers are left out: another may come to lie where one was. */
function isFixedPlace(place: FilePlace): boolean {
  return place.kind === 'directory' && place.version !== undefined;
}
