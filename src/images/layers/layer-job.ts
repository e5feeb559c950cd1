import { randomUUID } from 'node:crypto';
import type { ContentStore, Ingest } from '../../content/content-store.ts';
import { storageError } from '../../content/storage-error.ts';
import { EngineError, errnoCodeOf, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type DiffId } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';
import { isUnreachable, isWrongContent } from '../../registry/client/read-blob.ts';
import type {
  BlobStream,
  RegistryClient,
  RegistryConfig,
  RegistryCredentials,
  RegistrySource,
} from '../../registry/client/registry-client.ts';
import type { LayerSink, LayerStaging, SinkOptions, StagedLayer } from '../../snapshots/snapshotter.ts';
import { receiveLayer } from './receive-layer.ts';
import { stageLayer } from './stage-layer.ts';

/** One layer's way from a registry to a staged layer. Plain data: it is run whole in a worker thread. */
export interface LayerJob {
  contentRoot: string;
  staging: LayerStaging;
  registry: RegistryConfig;
  /** Where its blob is when it isn't here; undefined: nowhere. */
  origin: LayerOrigin | undefined;
  descriptor: Descriptor;
  diffId: DiffId;
}

export interface LayerOrigin {
  repository: Reference;
  source: RegistrySource | undefined;
  credentials: RegistryCredentials | undefined;
  tlsVerify: boolean | undefined;
}

/** Bytes of the compressed blob that are here. */
export type LayerProgress = { phase: 'downloading' | 'verifying' | 'downloaded'; current: number };

/** What a job needs from its thread. */
export interface LayerPorts {
  content: ContentStore;
  registry: RegistryClient;
  openSink: (staging: LayerStaging, options?: SinkOptions) => Promise<LayerSink>;
  signal: AbortSignal;
  progress: (progress: LayerProgress) => void;
}

/**
 * Download, verify, decompress and stage one layer in one pass. What fails leaves no stage; a download that was cut short stays as an ingest and is
 * resumed by the next job for the same digest.
 *
 * @throws EngineError "invalid" codes digest-mismatch, size-exceeded, archive-hostile; as RegistryClient; the signal's reason.
 */
export async function runLayerJob(job: LayerJob, ports: LayerPorts): Promise<StagedLayer> {
  let wasDamaged = false;
  const except: RegistrySource[] = [];
  let spoilt: unknown;
  for (;;) {
    try {
      return await attemptLayer(job, ports, except);
    } catch (error) {
      if (error instanceof DamagedHere && !wasDamaged) wasDamaged = true;
      else if (error instanceof SpoiltByMirror) {
        except.push(...error.mirrors);
        spoilt ??= error.cause;
      } else throw isUnreachable(error) ? (spoilt ?? error) : error;
      ports.signal.throwIfAborted();
    }
  }
}

/** The bytes that lay here were wrong (a power cut, a failing disk) and are gone: worth one more try from the registry. */
class DamagedHere extends Error {}

/** Mirrors sent other bytes than the digest's. They aren't asked for them again, so there are only as many of these as mirrors. */
class SpoiltByMirror extends Error {
  readonly mirrors: readonly RegistrySource[];

  constructor(mirrors: readonly RegistrySource[], cause: unknown) {
    super(messageOf(cause), { cause });
    this.mirrors = mirrors;
  }
}

async function attemptLayer(
  job: LayerJob,
  ports: LayerPorts,
  except: readonly RegistrySource[],
): Promise<StagedLayer> {
  const { digest, size } = job.descriptor;
  ports.signal.throwIfAborted();
  if ((await ports.content.size(digest)) === size) return await stageStored(job, ports);
  if (job.origin === undefined) throw new EngineError('not-found', `layer ${digest} is missing or damaged`);
  const { origin } = job;
  const held = await openIngest(job, ports.content);
  const { ingest } = held;
  const isResumed = ingest.offset > 0;
  let stream: BlobStream | undefined;
  const onStream = (blob: BlobStream) => void (stream = blob);
  try {
    const received = receiveLayer({ ...origin, descriptor: job.descriptor, except, onStream }, ports, ingest);
    return await stageLayer(job, ports, received, () => publish(ingest, { job, ports, isResumed }));
  } catch (error) {
    const cause = asNoSpace(error, job);
    const liars = isWrongContent(cause) ? (stream?.refuse() ?? []) : [];
    if (liars.length > 0) {
      await ingest.abort();
      throw new SpoiltByMirror(liars, cause);
    }
    await letGo(held, cause);
    throw cause;
  }
}

async function stageStored(job: LayerJob, ports: LayerPorts): Promise<StagedLayer> {
  const { digest } = job.descriptor;
  const algorithm = algorithmOf(digest);
  const hasher = new Bun.CryptoHasher(algorithm);
  const bytes = hashed(ports.content.stream(digest), hasher);
  // What isn't compressed is the tar itself.
  const isTar = (digest as string) === job.diffId;
  const stagePorts = isTar
    ? {
        ...ports,
        openSink: (staging: LayerStaging) => ports.openSink(staging, { tarFile: ports.content.path(digest) }),
      }
    : ports;
  return await stageLayer(job, stagePorts, bytes, async () => {
    if (`${algorithm}:${hasher.digest('hex')}` === digest) return;
    await ports.content.remove(digest);
    throw new DamagedHere(`Blob ${digest} is damaged`);
  });
}

async function* hashed(
  stream: ReadableStream<Uint8Array>,
  hasher: Bun.CryptoHasher,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    hasher.update(chunk as Uint8Array<ArrayBuffer>);
    yield chunk;
  }
}

/** Where the digest's own ingest is held (a worker that was terminated holds its lock for good), one that nobody will resume. */
async function openIngest({ descriptor }: LayerJob, content: ContentStore): Promise<HeldIngest> {
  const { digest, size } = descriptor;
  const algorithm = algorithmOf(digest);
  try {
    const ingest = await content.ingest(digest, { algorithm });
    if (ingest.offset <= size) return { ingest, resumable: true };
    await ingest.abort();
    return { ingest: await content.ingest(digest, { restart: true, algorithm }), resumable: true };
  } catch (error) {
    if (kindOf(error) !== 'conflict') throw error;
    return {
      ingest: await content.ingest(`${digest} ${randomUUID()}`, { ephemeral: true, algorithm }),
      resumable: false,
    };
  }
}

interface HeldIngest {
  ingest: Ingest;
  resumable: boolean;
}

async function publish(
  ingest: Ingest,
  { job, ports, isResumed }: { job: LayerJob; ports: LayerPorts; isResumed: boolean },
): Promise<void> {
  const { digest, size } = job.descriptor;
  ports.progress({ phase: 'verifying', current: size });
  try {
    await ingest.commit({ digest, size });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'digest-mismatch') throw error;
    if (isResumed) throw new DamagedHere(error.message);
    throw new EngineError('invalid', `filesystem layer verification failed for digest ${digest}`, {
      code: 'digest-mismatch',
      cause: error,
    });
  }
  ports.progress({ phase: 'downloaded', current: size });
}

/** Sinks give the system's own error when the disk is full. */
function asNoSpace(error: unknown, { descriptor }: LayerJob): unknown {
  const errno = errnoCodeOf(error);
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT';
  return isFull ? storageError(error, `Cannot store layer ${descriptor.digest}`) : error;
}

/** Partial downloads are kept for later, but not on a disk that is full. */
async function letGo({ ingest, resumable }: HeldIngest, error: unknown): Promise<void> {
  const isFull = error instanceof EngineError && error.code === 'no-space';
  if (resumable && !isFull && ingest.offset > 0) await ingest.close();
  else await ingest.abort();
}
