import type { ContentStore } from '../../content/content-store.ts';
import type { LayerPlace, Snapshotter } from '../../snapshots/snapshotter.ts';
import { encodeOciPlatform } from '../../wire/oci-descriptor.ts';
import type { ImageView } from '../image-backend.ts';
import type { LayerFacts } from './explore-job.ts';
import type { ExploreRunner } from './explore-runner.ts';

export interface ExplorePorts {
  content: ContentStore;
  snapshotter: Snapshotter;
  explorer: ExploreRunner;
}

/** What each layer of an image brings: an `ImageLayers` as JSON, in pieces. The caller holds the image. */
export async function exploreLayers(
  image: ImageView,
  options: { withFiles: boolean; signal: AbortSignal },
  ports: ExplorePorts,
): Promise<Uint8Array[]> {
  const steps = image.config.history.filter(({ emptyLayer }) => !emptyLayer);
  const places = await placesOf(image, ports.snapshotter);
  const layers = await Promise.all(
    places.map(async (place, index) => ({
      place,
      facts: await factsOf(image.layers[index], steps[index], ports.content),
    })),
  );
  return await ports.explorer.run(
    {
      kind: 'layers',
      head: { Id: image.id, Platform: encodeOciPlatform(image.platform) },
      layers,
      withFiles: options.withFiles,
    },
    options,
  );
}

/** How the files of `to` differ from those of `from`: an `ImageDiff` as JSON, in pieces. The caller holds both. */
export async function compareImages(
  { from, to }: { from: ImageView; to: ImageView },
  options: { signal: AbortSignal },
  ports: ExplorePorts,
): Promise<Uint8Array[]> {
  const [before, after] = await Promise.all([
    placesOf(from, ports.snapshotter),
    placesOf(to, ports.snapshotter),
  ]);
  return await ports.explorer.run(
    { kind: 'diff', head: { From: from.id, To: to.id }, from: before, to: after },
    options,
  );
}

async function placesOf({ chainId }: ImageView, snapshotter: Snapshotter): Promise<LayerPlace[]> {
  return chainId === undefined ? [] : await snapshotter.places(chainId);
}

async function factsOf(
  layer: ImageView['layers'][number] | undefined,
  step: ImageView['config']['history'][number] | undefined,
  content: ContentStore,
): Promise<LayerFacts> {
  const isKept = layer !== undefined && (await content.size(layer.blob)) !== undefined;
  return {
    DiffId: layer?.diffId ?? '',
    Digest: isKept ? layer.blob : '',
    CreatedBy: step?.createdBy ?? '',
    Created: step?.created ?? '',
    BlobSize: isKept ? layer.blobSize : 0,
  };
}
