import { ErofsLayerSink } from './erofs/erofs-layer-sink.ts';
import { openOverlayLayerSink } from './overlay/overlay-layer-sink.ts';
import type { LayerSink, LayerStaging, SinkOptions } from './snapshotter.ts';

/** The sink of a stage, in whichever thread has the bytes. */
export async function openLayerSink(staging: LayerStaging, options: SinkOptions = {}): Promise<LayerSink> {
  switch (staging.driver) {
    case 'erofs':
      return ErofsLayerSink.open(staging, options);
    case 'overlay':
      return openOverlayLayerSink(staging, options);
  }
}
