import type { ContextTree, ContextWant } from '../build-session.ts';
import type { FilePlace } from './file-place.ts';
import { FileTree } from './file-tree.ts';

export interface ContextTreeOptions {
  /** What of the place is shown; undefined: all of it. */
  want?: ContextWant | undefined;
  /** What holds the place. */
  release?: () => Promise<void>;
}

/** A place that is here now as the context of a build. @throws EngineError "not-found" where it is gone. */
export function openContextTree(place: FilePlace, { want, release }: ContextTreeOptions = {}): ContextTree {
  const canFilter = place.kind !== 'layers' && place.kind !== 'texts';
  const isFiltered = canFilter && want !== undefined && want.include.length + want.exclude.length > 0;
  const shown: FilePlace = isFiltered ? { ...place, filter: { ...want } } : place;
  const tree = new FileTree(shown);
  return {
    tree,
    place: shown,
    directory: !isFiltered && place.kind === 'directory' ? place.path : undefined,
    release: async () => {
      await tree.close();
      await release?.();
    },
  };
}
