import { EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import { type MakeLayerPorts, makeLayer } from '../layers/make-layer.ts';
import type { ImageStore } from '../store/image-store.ts';
import type { LeaseStore } from '../store/lease-store.ts';
import { storeImage } from '../store/store-image.ts';
import { applyChanges, emptyProcessConfig } from './import-changes.ts';

export interface ImportPorts extends MakeLayerPorts {
  store: ImageStore;
  leases: LeaseStore;
}

export interface ImportOptions {
  reference: Reference | undefined;
  message: string;
  changes: string[];
  platform: Platform | undefined;
  signal: AbortSignal;
}

/** One layer from a root file system tar (compressed or not), one manifest, one tag. Resolves to the image's ID. */
export async function importImage(
  source: ReadableStream<Uint8Array>,
  options: ImportOptions,
  ports: ImportPorts,
): Promise<Digest> {
  const config = applyChanges(emptyProcessConfig(), options.changes);
  const platform = options.platform ?? hostPlatform();
  if (platform.os !== 'linux')
    throw new EngineError('invalid', `operating system ${JSON.stringify(platform.os)} is not supported`);
  const lease = ports.leases.take();
  try {
    const made = await makeLayer(source, { ports, lease, parent: undefined, signal: options.signal });
    const created = new Date().toISOString();
    const history = {
      created,
      createdBy: '',
      author: '',
      comment: options.message,
      emptyLayer: false,
    };
    const image: ImageConfig = {
      platform,
      created,
      author: undefined,
      config,
      diffIds: [made.layer.diffId],
      history: [history],
    };
    return await storeImage(image, {
      descriptors: [made.descriptor],
      layers: [made.layer],
      lease,
      reference: options.reference,
      ports,
    });
  } finally {
    await ports.gc.letGo(lease);
  }
}
