import { familiarName, familiarRepository } from '../oci/reference.ts';
import type { HistoryView, ImageView } from './image-backend.ts';
import type { ImageManifest, ImageRecord } from './store/image-record.ts';
import type { ImageStore } from './store/image-store.ts';
import { rootOf } from './transfer/transfer-target.ts';

/** An image as it is shown, with one platform chosen. */
export function viewImage(store: ImageStore, image: ImageRecord, manifest: ImageManifest): ImageView {
  const tags = store.tags(image.id);
  const layers = manifest.config.diffIds.map((diffId, index) => ({
    diffId,
    blob: manifest.manifest.layers[index]?.digest ?? manifest.digest,
    blobSize: manifest.manifest.layers[index]?.size ?? 0,
    tarSize: store.tarSize(diffId),
  }));
  const digests = new Set(tags.map(({ reference }) => `${familiarRepository(reference)}@${image.id}`));
  const times = tags.map(({ taggedNano }) => taggedNano);
  return {
    id: image.id,
    descriptor: rootOf(image),
    manifestDigest: manifest.digest,
    configDigest: manifest.manifest.config.digest,
    mediaType: manifest.mediaType,
    manifestSize: manifest.size,
    platform: manifest.config.platform,
    config: manifest.config,
    chainId: manifest.chainIds.at(-1),
    repoTags: tags
      .filter(({ reference }) => reference.tag !== undefined)
      .map(({ reference }) => familiarName(reference)),
    repoDigests: [...digests],
    size: layers.reduce((sum, { tarSize }) => sum + tarSize, 0),
    created: manifest.config.created,
    lastTaggedNano: times.length === 0 ? undefined : times.reduce((a, b) => (a > b ? a : b)),
    layers,
  };
}

/** Newest row first; each row that made a layer has that layer's size. Layers without a row are left out, as Docker does. */
export function viewHistory({ id, config, layers, repoTags }: ImageView): HistoryView[] {
  let layer = 0;
  const rows = config.history.map((entry): HistoryView => {
    const size = entry.emptyLayer ? 0 : (layers[layer++]?.tarSize ?? 0);
    return { ...entry, id: undefined, size, tags: [] };
  });
  const [newest, ...older] = rows.reverse();
  return newest === undefined ? [] : [{ ...newest, id, tags: repoTags }, ...older];
}
