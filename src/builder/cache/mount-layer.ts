import type { Lease } from '../../images/store/lease-store.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import { nowNano } from '../../sys/clock.ts';
import { type FileLayerPorts, makeFileLayer } from '../copy/make-file-layer.ts';
import { planCopy } from '../copy/plan-copy.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';

/** The folder of a cache mount as a layer on nothing: owners, modes, times and links as they are. @throws as COPY of it. */
export async function mountLayer(
  directory: string,
  { ports, lease, signal }: { ports: FileLayerPorts; lease: Lease; signal: AbortSignal },
): Promise<BuiltLayer> {
  const createdNano = nowNano();
  const actions = planCopy([{ kind: 'path', place: { kind: 'directory', path: directory }, path: '/' }], {
    command: 'COPY',
    destination: '/',
    workdir: '/',
    chown: '',
    chmod: '',
    parents: false,
    exclude: [],
    unpack: undefined,
  });
  const { layer, descriptor } = await makeFileLayer(actions, {
    ports,
    lease,
    parent: undefined,
    created: Number(createdNano / 1_000_000_000n),
    compression: 'none',
    signal,
    link: true,
  });
  const { diffId, tarSize } = layer;
  return { chainId: chainIdOn(undefined, diffId), diffId, descriptor, tarSize, createdNano };
}
