import { decompressDetected } from '../../archive/compression.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { LayerSink, StagedLayer } from '../../snapshots/snapshotter.ts';
import { dropProgramPages } from '../../sys/program-pages.ts';
import type { LayerJob, LayerPorts } from './layer-job.ts';
import { type Failure, LayerSource } from './layer-source.ts';

/** Collecting and letting go of the program's pages after so many bytes keeps a layer's thread 5 MB and the process 10 MB smaller, for some milliseconds each. */
const COLLECT_BYTES = 48 << 20;

/**
 * Decompress into a sink. The blob is read to its end even when its content proves bad, since a wrong digest is the better answer than whatever
 * the damaged bytes led to.
 */
export async function stageLayer(
  job: LayerJob,
  ports: LayerPorts,
  compressed: AsyncGenerator<Uint8Array>,
  verify?: () => Promise<void>,
): Promise<StagedLayer> {
  const sink = await ports.openSink(job.staging);
  try {
    const failure = await fill(sink, ports, compressed);
    ports.signal.throwIfAborted();
    if (failure?.fatal === true) throw failure.error;
    for await (const _ of compressed) ports.signal.throwIfAborted();
    await verify?.();
    if (failure !== undefined) throw failure.error;
    const staged = await sink.finish();
    if (staged.diffId !== job.diffId)
      throw new EngineError(
        'invalid',
        `layers from manifest don't match image configuration: layer ${job.descriptor.digest} unpacks to ${staged.diffId}, not ${job.diffId}`,
        { code: 'digest-mismatch' },
      );
    return staged;
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

async function fill(
  sink: LayerSink,
  ports: LayerPorts,
  compressed: AsyncGenerator<Uint8Array>,
): Promise<Failure | undefined> {
  const source = new LayerSource(compressed);
  try {
    const { stream } = await decompressDetected(source.stream, { lend: true });
    let written = 0;
    for await (const chunk of stream) {
      ports.signal.throwIfAborted();
      await sink.write(chunk);
      written += chunk.length;
      if (written < COLLECT_BYTES) continue;
      written = 0;
      Bun.gc(true);
      dropProgramPages();
    }
    return undefined;
  } catch (error) {
    return (
      (await source.failure()) ?? {
        error,
        fatal: !(error instanceof EngineError && error.kind === 'invalid'),
      }
    );
  }
}
