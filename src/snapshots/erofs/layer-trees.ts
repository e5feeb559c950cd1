import type { Tree } from '../../archive/tree.ts';
import { ErofsImageReader } from '../../erofs/image-reader.ts';
import { type IndexedLayer, StackTree } from '../../erofs/stack-tree.ts';
import type { ErofsLayout } from './erofs-layout.ts';
import type { LayerRecord } from './layer-store.ts';

/** What overlayfs would show of `stack` (top first), read from the indexes; they are mapped, so only what is asked for is read. */
export function openStackTree(layout: ErofsLayout, stack: readonly LayerRecord[]): Tree {
  return new StackTree(stack.map((layer) => openLayer(layout, layer)));
}

function openLayer(layout: ErofsLayout, layer: LayerRecord): IndexedLayer {
  const devices = [layout.tar(layer.diffId), layout.side(layer.diffId)];
  return {
    index: new ErofsImageReader(Bun.mmap(layout.index(layer.chainId), { shared: true })),
    open: (device, start, length) =>
      Bun.file(devices[device] ?? '')
        .slice(start, start + length)
        .stream(),
  };
}
