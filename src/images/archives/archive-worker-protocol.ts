import type { SerializedError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ReceivedArchive } from './received-archive.ts';

/** To the thread that reads one archive. */
export type ArchiveRequest =
  | { kind: 'begin'; contentRoot: string }
  | { kind: 'chunk'; bytes: Uint8Array }
  | { kind: 'end' }
  | { kind: 'abort' }
  | { kind: 'held'; blob: Digest };

export type ArchiveReply =
  /** One chunk was taken: another may come. */
  | { kind: 'taken' }
  | { kind: 'hold'; blob: Digest }
  | { kind: 'done'; archive: ReceivedArchive }
  | { kind: 'failed'; error: SerializedError };
