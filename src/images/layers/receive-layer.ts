import type { Ingest } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isNonDistributable } from '../../oci/media-types.ts';
import type { BlobStream, RegistrySource } from '../../registry/client/registry-client.ts';
import type { LayerOrigin, LayerPorts } from './layer-job.ts';

interface WantedBlob extends LayerOrigin {
  descriptor: Descriptor;
  except: readonly RegistrySource[];
  onStream: (blob: BlobStream) => void;
}

/**
 * The blob's bytes from its start: those that an earlier attempt left first, then the rest as it comes, each written to the ingest before it is given
 * on. The registry client takes broken connections up again; what it can't bring stays for the next pull.
 */
export async function* receiveLayer(
  job: WantedBlob,
  ports: LayerPorts,
  ingest: Ingest,
): AsyncGenerator<Uint8Array> {
  const { descriptor, repository, source, credentials, tlsVerify } = job;
  if (ingest.offset > 0) yield* ingest.replay();
  if (ingest.offset >= descriptor.size) return;
  const blob = await ports.registry.blob(repository, descriptor.digest, {
    signal: ports.signal,
    source,
    credentials,
    tlsVerify,
    size: descriptor.size,
    urls: isNonDistributable(descriptor.mediaType) ? descriptor.urls : undefined,
    except: job.except,
    ...(ingest.offset === 0 ? {} : { start: ingest.offset }),
  });
  job.onStream(blob);
  let skip = ingest.offset - blob.start;
  for await (const whole of blob.body) {
    ports.signal.throwIfAborted();
    const chunk = skip === 0 ? whole : whole.subarray(Math.min(skip, whole.length));
    skip -= whole.length - chunk.length;
    if (chunk.length === 0) continue;
    if (ingest.offset + chunk.length > descriptor.size) throw tooLong(job);
    await ingest.write(chunk);
    ports.progress({ phase: 'downloading', current: ingest.offset });
    yield chunk;
  }
  if (ingest.offset < descriptor.size)
    throw new EngineError('unavailable', `Cannot pull layer ${descriptor.digest}: unexpected EOF`, {
      code: 'registry-unreachable',
    });
}

function tooLong({ descriptor }: WantedBlob): EngineError {
  return new EngineError(
    'invalid',
    `Cannot pull layer ${descriptor.digest}: the registry sends more than its ${descriptor.size} bytes`,
    { code: 'size-exceeded' },
  );
}
