import type { LayerPlace } from '../../snapshots/snapshotter.ts';
import type { FileNode } from '../sources/file-node.ts';
import { OpenPlaces } from '../sources/open-file-place.ts';
import { resolvePath } from '../sources/resolve-path.ts';
import { copyFiles } from './copy-files.ts';
import { DraftNode } from './draft-node.ts';
import type { FileAction, FileOwner } from './file-action.ts';
import { makeDirectories } from './make-directories.ts';
import { unpackArchive } from './unpack-archive.ts';
import { resolveOwner, type UserId } from './user-names.ts';

export interface ActionOptions {
  parent: readonly LayerPlace[];
  users: readonly LayerPlace[];
  /** Of directories that are made because they were missing, seconds. */
  created: number;
  /** For uncompressed archives: a name beside the stage. */
  scratchFile: string;
  places: OpenPlaces;
  keep: (fd: number) => void;
  signal: AbortSignal;
}

/** The draft that `actions`, one after the other, make on top of `parent`. Its contents are read from `places`, which must stay open. */
export async function runFileActions(
  actions: readonly FileAction[],
  options: ActionOptions,
): Promise<DraftNode> {
  const { places, parent, users } = options;
  const draft = DraftNode.root(places.open({ kind: 'layers', layers: parent }));
  const names = users.length === 0 ? undefined : places.open({ kind: 'layers', layers: users });
  for (const action of actions) {
    const owner = ownerOf(action.owner, names);
    if (action.kind === 'make-directory') {
      const { path } = resolvePath<DraftNode>(draft, action.path, { followLast: true });
      makeDirectories(draft, path, { mode: action.mode, owner, created: options.created });
    } else await copyFiles(action, places.open(action.source), contextOf(draft, owner, options));
  }
  return draft;
}

function ownerOf(owner: FileOwner | undefined, names: FileNode | undefined): UserId | undefined {
  return owner && resolveOwner(owner, names);
}

function contextOf(destination: DraftNode, owner: UserId | undefined, options: ActionOptions) {
  const { created, scratchFile, keep, signal } = options;
  return {
    destination,
    owner,
    created,
    unpack: (source: FileNode, directory: () => DraftNode) =>
      unpackArchive(source, { directory, owner, created, scratchFile, keep, signal }),
    pause: async () => {
      await new Promise(setImmediate);
      signal.throwIfAborted();
    },
  };
}
