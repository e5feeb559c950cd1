import { ErofsLayerNode } from './erofs/erofs-layer-node.ts';
import type { LayerNode } from './layer-node.ts';
import { OverlayLayerNode } from './overlay/overlay-layer-node.ts';
import type { LayerPlace } from './snapshotter.ts';

/** The root of a committed layer, in whichever thread looks into it. @throws the system's error where the layer is gone. */
export function openLayer(place: LayerPlace): LayerNode {
  switch (place.driver) {
    case 'erofs':
      return ErofsLayerNode.root(place);
    case 'overlay':
      return OverlayLayerNode.root(place);
  }
}
