import type { Compression } from '../../archive/compression.ts';
import { cleanMemberPath } from '../../archive/member-path.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';

/** A file of an archive: small JSON as it stands, all else as a blob of the content store. */
export type ReceivedFile =
  | { kind: 'document'; bytes: Uint8Array }
  | { kind: 'blob'; digest: Digest; size: number; compression: Compression };

/** An archive of images after it was read, once. Plain data: it crosses threads. */
export interface ReceivedArchive {
  files: ReadonlyMap<string, ReceivedFile>;
  /** Where symbolic and hard links point, cleaned. */
  links: ReadonlyMap<string, string>;
}

/** What the reading of an archive needs. */
export interface ArchivePorts {
  content: ContentStore;
  /** Resolves once the blob is safe from collection. */
  hold: (blob: Digest) => Promise<void>;
  signal: AbortSignal;
}

const MAX_LINKS = 8;

/** The file at a path that a document of the archive names, through links. @throws EngineError "invalid" for a path that leaves the archive. */
export function fileAt({ files, links }: ReceivedArchive, path: string): ReceivedFile | undefined {
  let at = cleanMemberPath(path);
  for (let hops = 0; hops <= MAX_LINKS; hops++) {
    const file = files.get(at);
    if (file !== undefined) return file;
    const next = links.get(at);
    if (next === undefined) return undefined;
    at = next;
  }
  return undefined;
}

/** Bytes of a small file. @throws EngineError "not-found" where there is none, "invalid" where it is too large. */
export async function readFileAt(
  archive: ReceivedArchive,
  path: string,
  { content, maxBytes }: { content: ContentStore; maxBytes: number },
): Promise<Uint8Array> {
  const file = fileAt(archive, path);
  if (file === undefined)
    throw new EngineError('not-found', `Cannot load archive: it has no ${JSON.stringify(path)}`);
  if (file.kind === 'blob') return await content.read(file.digest, { maxBytes });
  if (file.bytes.length <= maxBytes) return file.bytes;
  throw new EngineError(
    'invalid',
    `Cannot load archive: ${JSON.stringify(path)} is larger than ${maxBytes} bytes`,
    { code: 'size-exceeded' },
  );
}
