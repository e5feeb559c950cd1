import type { Lease } from '../../images/store/lease-store.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import { type FileLayerPorts, makeRedatedLayer } from '../copy/make-file-layer.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';
import type { BuiltStage } from './store-build.ts';

/** The stage with none of its own files later than `latest`, seconds (`rewrite-timestamp`). The base image's layers stay what they are. */
export async function redateLayers(
  stage: BuiltStage,
  latest: number,
  { ports, lease, signal }: { ports: FileLayerPorts; lease: Lease; signal: AbortSignal },
): Promise<BuiltStage> {
  let parent = stage.state.base?.chainId;
  const layers: BuiltLayer[] = [];
  for (const { descriptor, createdNano } of stage.layers) {
    const source = ports.content.path(descriptor.digest);
    const options = { ports, lease, parent, compression: 'none', latest, signal } as const;
    const { layer, descriptor: redated } = await makeRedatedLayer(source, options);
    const { diffId, tarSize } = layer;
    parent = chainIdOn(parent, diffId);
    layers.push({ chainId: parent, diffId, descriptor: redated, tarSize, createdNano });
  }
  return { ...stage, chain: parent, layers };
}
