import { setTimeout as sleep } from 'node:timers/promises';
import type { Ingest } from '../content/content-store.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { LayerJob, LayerPorts } from './layer-job.ts';

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 200;

/**
 * The blob's bytes from its start: those that an earlier attempt left first, then the rest as it comes, each written to the ingest before it is given
 * on. A connection that breaks is taken up again by Range.
 */
export async function* receiveLayer(
  job: LayerJob,
  ports: LayerPorts,
  ingest: Ingest,
): AsyncGenerator<Uint8Array> {
  if (ingest.offset > 0) yield* ingest.replay();
  let failures = 0;
  while (ingest.offset < job.descriptor.size) {
    const before = ingest.offset;
    try {
      yield* receiveOnce(job, ports, ingest);
      if (ingest.offset < job.descriptor.size)
        throw new EngineError('unavailable', 'unexpected EOF', { code: 'registry-unreachable' });
    } catch (error) {
      ports.signal.throwIfAborted();
      failures = ingest.offset > before ? 1 : failures + 1;
      if (!isTransient(error) || failures >= ATTEMPTS) throw error;
      await sleep(FIRST_DELAY_MS * 2 ** failures, undefined, { signal: ports.signal });
    }
  }
}

async function* receiveOnce(job: LayerJob, ports: LayerPorts, ingest: Ingest): AsyncGenerator<Uint8Array> {
  const { descriptor, repository, source, credentials } = job;
  const blob = await ports.registry.blob(repository, descriptor.digest, {
    signal: ports.signal,
    source,
    credentials,
    ...(ingest.offset === 0 ? {} : { start: ingest.offset }),
  });
  let skip = ingest.offset - blob.start;
  for await (const whole of networkErrors(blob.body)) {
    ports.signal.throwIfAborted();
    const chunk = whole.subarray(Math.min(skip, whole.length));
    skip -= whole.length - chunk.length;
    if (chunk.length === 0) continue;
    if (ingest.offset + chunk.length > descriptor.size)
      throw new EngineError(
        'invalid',
        `Cannot pull layer ${descriptor.digest}: the registry sends more than its ${descriptor.size} bytes`,
        { code: 'size-exceeded' },
      );
    await ingest.write(chunk);
    ports.progress({ phase: 'downloading', current: ingest.offset });
    yield chunk;
  }
}

/** A body that breaks off is the network's fault, whatever it throws. */
async function* networkErrors(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const next = await reader.read().catch((error: unknown) => {
        throw new EngineError('unavailable', messageOf(error), {
          code: 'registry-unreachable',
          cause: error,
        });
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof EngineError && error.kind === 'unavailable';
}
