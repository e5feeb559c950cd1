import { closeSync, constants, openSync } from 'node:fs';
import type { Digest } from '../../oci/digest.ts';
import { fsPath } from '../../snapshots/node-attributes.ts';
import { ContentDigests } from '../sources/content-digests.ts';
import { DirectoryNode } from '../sources/directory-node.ts';
import type { FilePlace } from '../sources/file-place.ts';
import { contextChanged } from '../sources/local-node.ts';
import { OpenPlaces } from '../sources/open-file-place.ts';
import { receiveArchiveContext } from '../sources/receive-archive-context.ts';
import { compressTar } from './compress-tar.ts';
import { digestFiles } from './digest-files.ts';
import type { FileAction } from './file-action.ts';
import type {
  CompressedBlob,
  CopyJob,
  DigestJob,
  FileJob,
  FileProgress,
  LayerOutcome,
  RedateJob,
  UpperJob,
} from './file-job.ts';
import { redateTar } from './redate-tar.ts';
import { runFileActions } from './run-file-actions.ts';
import { stageFileLayer } from './stage-file-layer.ts';
import { upperDraft } from './upper-draft.ts';
import { writeDraft } from './write-draft.ts';

/** What a job needs from its thread. */
export interface FileJobContext {
  signal: AbortSignal;
  progress: (progress: FileProgress) => void;
}

export type FileJobResult = Digest | LayerOutcome | FilePlace | CompressedBlob;

/** Do one job. What fails or is aborted leaves nothing. @throws as `FileRunner`. */
export async function runFileJob(job: FileJob, context: FileJobContext): Promise<FileJobResult> {
  switch (job.kind) {
    case 'digest':
      return await digest(job, context);
    case 'copy':
      return await copy(job, context);
    case 'upper':
      return await upper(job, context);
    case 'redate':
      return await redate(job, context);
    case 'receive':
      return await receiveArchiveContext(job.file, { ...job, ...context });
    case 'compress':
      return await compressTar(job, context);
  }
}

async function digest({ actions }: DigestJob, { signal }: FileJobContext): Promise<Digest> {
  const places = new OpenPlaces({ created: 0 });
  try {
    return await digestIn(places, actions, signal);
  } finally {
    places.close();
  }
}

async function digestIn(
  places: OpenPlaces,
  actions: readonly FileAction[],
  signal: AbortSignal,
): Promise<Digest> {
  const digests = new Map<string, ContentDigests>();
  const result = await digestFiles(actions, {
    open: ({ source }) => {
      const file = source.kind === 'directory' || source.kind === 'local' ? source.digests : undefined;
      const known = digests.get(file ?? '') ?? new ContentDigests(file);
      digests.set(file ?? '', known);
      return { root: places.open(source), digests: known };
    },
    pause: () => pause(signal),
  });
  for (const known of digests.values()) known.save();
  return result;
}

/** The nodes that have the digest are those that are copied, and each file's content is checked to be the one that it was. */
async function checkUnchanged(
  { actions, digest: wanted }: CopyJob,
  places: OpenPlaces,
  signal: AbortSignal,
): Promise<void> {
  const mayChange = actions.some((action) => action.kind === 'copy' && action.source.kind === 'local');
  if (wanted === undefined || !mayChange) return;
  if ((await digestIn(places, actions, signal)) !== wanted) throw contextChanged('');
}

async function copy(job: CopyJob, { signal, progress }: FileJobContext): Promise<LayerOutcome> {
  const { staging, compression, created, parent, users } = job;
  const places = new OpenPlaces({ created });
  const kept: number[] = [];
  const fill = { staging, compression, signal, progress: (copiedBytes: number) => progress({ copiedBytes }) };
  try {
    await checkUnchanged(job, places, signal);
    const scratchFile = `${staging.directory}.unpack`;
    const keep = (fd: number): void => void kept.push(fd);
    const draft = await runFileActions(job.actions, {
      parent,
      users,
      created,
      scratchFile,
      places,
      keep,
      signal,
    });
    return await stageFileLayer((out) => writeDraft(draft, out), fill);
  } finally {
    for (const fd of kept) closeSync(fd);
    places.close();
  }
}

async function upper(job: UpperJob, { signal, progress }: FileJobContext): Promise<LayerOutcome> {
  const { staging, compression } = job;
  const places = new OpenPlaces({ created: 0 });
  const fd = openSync(fsPath(job.upper), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const fill = { staging, compression, signal, progress: (copiedBytes: number) => progress({ copiedBytes }) };
  try {
    const below = places.open({ kind: 'layers', layers: job.parent });
    const root = DirectoryNode.root({ path: job.upper, fd });
    const draft = await upperDraft(root, { below, skip: new Set(job.skip), pause: () => pause(signal) });
    return await stageFileLayer((out) => writeDraft(draft, out), fill);
  } finally {
    closeSync(fd);
    places.close();
  }
}

async function redate(job: RedateJob, { signal, progress }: FileJobContext): Promise<LayerOutcome> {
  const { staging, compression } = job;
  const fill = { staging, compression, signal, progress: (copiedBytes: number) => progress({ copiedBytes }) };
  return await stageFileLayer((out) => redateTar(job, out), fill);
}

/** The thread hears whether anybody still waits. */
async function pause(signal: AbortSignal): Promise<void> {
  await new Promise(setImmediate);
  signal.throwIfAborted();
}
