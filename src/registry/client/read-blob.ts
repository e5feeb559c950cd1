import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { hasDigest } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';
import type {
  BlobRequest,
  BlobStream,
  RegistryClient,
  RegistryRequest,
  RegistrySource,
} from './registry-client.ts';

/**
 * A small blob whole and verified. What a mirror spoils is asked of the next source.
 *
 * @throws as `RegistryClient`; EngineError "invalid" code size-exceeded past `maxBytes`, digest-mismatch where the registry itself sends other bytes.
 */
export async function readBlob(
  registry: RegistryClient,
  blob: { repository: Reference; descriptor: Pick<Descriptor, 'digest' | 'size'>; maxBytes: number },
  options: RegistryRequest,
): Promise<Uint8Array> {
  const { digest, size } = blob.descriptor;
  if (size > blob.maxBytes)
    throw new EngineError(
      'invalid',
      `${digest} says it has ${size} bytes, at most ${blob.maxBytes} are taken`,
      {
        code: 'size-exceeded',
      },
    );
  const except: RegistrySource[] = [];
  const request: BlobRequest = { ...options, size, except };
  let spoilt: unknown;
  for (;;) {
    let stream: BlobStream | undefined;
    try {
      stream = await registry.blob(blob.repository, digest, request);
      return await readVerified(stream, blob.descriptor);
    } catch (error) {
      if (stream === undefined) throw isUnreachable(error) ? (spoilt ?? error) : error;
      const liars = isWrongContent(error) ? stream.refuse() : [];
      if (liars.length === 0) throw error;
      except.push(...liars);
      spoilt ??= error;
      delete request.source;
    }
  }
}

/** Whether an error says that a source sent other bytes than the digest's. */
export function isWrongContent(error: unknown): boolean {
  if (!(error instanceof EngineError) || error.code === undefined) return false;
  return ['digest-mismatch', 'size-exceeded', 'archive-truncated'].includes(error.code);
}

/** Nobody else was there to ask: what a mirror did is then the thing to tell. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'registry-unreachable';
}

async function readVerified(
  stream: BlobStream,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of stream.body) {
    if (at + chunk.length > size) throw mismatch(digest);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size || !hasDigest(bytes, digest)) throw mismatch(digest);
  return bytes;
}

function mismatch(digest: string): EngineError {
  return new EngineError('invalid', `blob ${digest} does not have the bytes of its digest`, {
    code: 'digest-mismatch',
  });
}
