import { EngineError } from '../../errors/engine-error.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';

/** The layers of `head` above `base`, lowest first. @throws EngineError "internal" when the build does not know one. */
export async function builtLayers(
  head: ChainId | undefined,
  base: ChainId | undefined,
  {
    solver,
    snapshotter,
  }: { solver: { layer(chainId: ChainId): BuiltLayer | undefined }; snapshotter: Pick<Snapshotter, 'layer'> },
): Promise<BuiltLayer[]> {
  const layers: BuiltLayer[] = [];
  for (let chain = head; chain !== undefined && chain !== base; ) {
    const layer = solver.layer(chain);
    if (layer === undefined) throw new EngineError('internal', `Layer ${chain} is none of this build's`);
    layers.push(layer);
    chain = (await snapshotter.layer(chain))?.parent;
  }
  return layers.reverse();
}
