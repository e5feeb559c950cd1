import type { Descriptor } from '../../oci/descriptor.ts';
import type { BuiltStage } from '../export/store-build.ts';
import type { SolvedKey } from '../solver/solve-build.ts';

/** A cache for an image's own config: which of its layers came of which key. */
export function inlineCacheOf(
  stage: BuiltStage,
  layers: readonly Descriptor[],
  solved: readonly SolvedKey[],
): string {
  const below = layers.length - stage.layers.length;
  const places = new Map(stage.layers.map(({ chainId }, at) => [chainId, below + at]));
  const own = solved.flatMap(({ key, layer }) => {
    const place = places.get(layer.chainId);
    return place === undefined ? [] : [{ key, layer: place, created: String(layer.createdNano) }];
  });
  return JSON.stringify({ sampan: own });
}
