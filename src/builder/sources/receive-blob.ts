import { randomUUID } from 'node:crypto';
import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, hasDigest } from '../../oci/digest.ts';
import type { ClientBlobs } from '../client-blobs.ts';

/**
 * A small blob of the client's, whole and verified. `size` where it is known.
 *
 * @throws EngineError "not-found"; "invalid" codes digest-mismatch, size-exceeded.
 */
export async function readClientBlob(
  blobs: ClientBlobs,
  { digest, size }: { digest: Digest; size?: number },
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
): Promise<Uint8Array> {
  const limit = size ?? maxBytes;
  if (limit > maxBytes) throw tooLarge(digest, maxBytes);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of blobs.read(digest, { signal })) {
    length += piece.length;
    if (length > limit) throw tooLarge(digest, limit);
    pieces.push(piece.slice());
  }
  const bytes = Buffer.concat(pieces, length);
  if (hasDigest(bytes, digest)) return bytes;
  throw new EngineError('invalid', `blob ${digest} of the client is damaged`, { code: 'digest-mismatch' });
}

/** Bring a blob of the client's here, verified. The caller holds it before. @throws as `readClientBlob`; as `Ingest.commit`. */
export async function receiveBlob(
  blobs: ClientBlobs,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  { content, signal }: { content: ContentStore; signal: AbortSignal },
): Promise<void> {
  if ((await content.size(digest)) === size) return;
  const ingest = await content.ingest(`client ${digest} ${randomUUID()}`, {
    ephemeral: true,
    algorithm: algorithmOf(digest),
  });
  try {
    for await (const piece of blobs.read(digest, { signal })) {
      if (ingest.offset + piece.length > size) throw tooLarge(digest, size);
      await ingest.write(piece);
    }
    signal.throwIfAborted();
    await ingest.commit({ digest, size });
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}

function tooLarge(digest: Digest, limit: number): EngineError {
  return new EngineError('invalid', `blob ${digest} of the client is larger than ${limit} bytes`, {
    code: 'size-exceeded',
  });
}
