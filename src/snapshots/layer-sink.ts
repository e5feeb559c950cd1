import { ErofsLayerSink } from './erofs/erofs-layer-sink.ts';
import { stageFiles as erofsFiles } from './erofs/stage-files.ts';
import { openOverlayLayerSink } from './overlay/overlay-layer-sink.ts';
import { stageFiles as overlayFiles } from './overlay/overlay-layout.ts';
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

/** Where a finished stage has its tar: for another name (hard link) of the file, before it is committed. */
export function stagedTar({ driver, directory }: LayerStaging): string {
  return (driver === 'erofs' ? erofsFiles(directory) : overlayFiles(directory)).tar;
}
