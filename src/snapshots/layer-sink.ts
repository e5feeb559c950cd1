import { EngineError } from '../errors/engine-error.ts';
import { ErofsLayerSink } from './erofs/erofs-layer-sink.ts';
import type { LayerSink, LayerStaging } from './snapshotter.ts';

/** The sink of a stage, in whichever thread has the bytes. @throws EngineError "not-implemented" for a driver that is not built in. */
export async function openLayerSink(staging: LayerStaging): Promise<LayerSink> {
  if (staging.driver === 'erofs') return ErofsLayerSink.open(staging);
  throw new EngineError('not-implemented', `Cannot stage layers for the ${staging.driver} driver`);
}
