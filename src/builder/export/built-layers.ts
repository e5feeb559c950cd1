import { EngineError } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';
import type { CacheStore } from '../solver/cache-store.ts';

/** The layers of `head` above `base`, lowest first. @throws EngineError "internal" when the build did not hold one. */
export async function builtLayers(
  head: ChainId | undefined,
  base: ChainId | undefined,
  { store, snapshotter }: { store: CacheStore; snapshotter: Pick<Snapshotter, 'layer'> },
): Promise<BuiltLayer[]> {
  const layers: BuiltLayer[] = [];
  for (let chain = head; chain !== undefined && chain !== base; ) {
    const layer = store.layer(chain);
    if (layer === undefined)
      throw new EngineError('internal', `Layer ${chain} of the build is not in its cache`);
    layers.push(layer);
    chain = (await snapshotter.layer(chain))?.parent;
  }
  return layers.reverse();
}
