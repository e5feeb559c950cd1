import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { hexOf } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import { isImageConfigType } from '../../oci/media-types.ts';
import { formatPlatform, isAttestation, normalizePlatform, type Platform } from '../../oci/platform.ts';
import { canonicalName, familiarName } from '../../oci/reference.ts';
import type { TransferLine } from '../image-backend.ts';
import type { ImageEvents } from '../image-events.ts';
import { bringLayers, presentLayers } from '../layers/bring-layers.ts';
import type { LayerFetch, LayerFetches } from '../layers/layer-fetches.ts';
import type { ImageGc } from '../store/gc.ts';
import {
  contentOf,
  type ImageDocuments,
  readDocuments,
  type StoredDocument,
} from '../store/image-documents.ts';
import { blobsOfManifest, type ImageManifest, joinImageManifest } from '../store/image-record.ts';
import type { ImageStore, LayerBlob } from '../store/image-store.ts';
import type { Lease, LeaseStore } from '../store/lease-store.ts';
import type { RegistryAccess } from '../transfer/pull-image.ts';
import type { ArchiveReceiver } from './archive-receiver.ts';
import { archivedImages } from './archived-images.ts';
import type { ArchivedImage } from './docker-manifest.ts';

export interface LoadPorts {
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  leases: LeaseStore;
  gc: ImageGc;
  fetches: LayerFetches;
  receiver: ArchiveReceiver;
  registry: RegistryAccess;
  events: ImageEvents;
}

export interface LoadOptions {
  /** Empty: all that the archive has. */
  platforms: readonly Platform[];
  quiet: boolean;
  signal: AbortSignal;
  progress: (line: TransferLine) => void;
}

/**
 * Take in an archive and add its images, each with its names in one transaction. What no image came to hold goes again.
 *
 * @throws as `receiveArchive` and `archivedImages`; "not-found" code no-matching-platform.
 */
export async function loadImages(
  source: ReadableStream<Uint8Array>,
  options: LoadOptions,
  ports: LoadPorts,
): Promise<void> {
  const lease = ports.leases.take();
  const hold = async (blob: Digest): Promise<void> => {
    // In force at once, and void with this process: nobody waits for the disk.
    lease.add({ blobs: [blob], chains: [] }).catch(() => undefined);
    await ports.gc.settled();
  };
  try {
    const archive = await ports.receiver(source, { hold, signal: options.signal });
    const images = await archivedImages(archive, { content: ports.content, hold, signal: options.signal });
    for (const image of images) await loadImage(image, { lease, options, ports });
  } finally {
    await ports.gc.letGo(lease);
  }
}

interface Load {
  lease: Lease;
  options: LoadOptions;
  ports: LoadPorts;
}

async function loadImage(image: ArchivedImage, load: Load): Promise<void> {
  const { ports, options, lease } = load;
  const shown = image.names[0] === undefined ? image.root.digest : familiarName(image.names[0]);
  const here = await readDocuments(ports.content, image.root);
  const manifests = await chosenManifests(here, { image, shown, load });
  await lease.add({ blobs: contentOf(here), chains: manifests.flatMap(({ chainIds }) => chainIds) });
  await ports.gc.settled();
  const layers: LayerBlob[] = [];
  for (const manifest of manifests) layers.push(...(await stageLayers(manifest, load)));
  const { digest, mediaType, size } = image.root;
  await ports.store.add({
    image: { digest, mediaType, size },
    manifests,
    layers,
    tags: image.names.map(canonicalName),
    extras: extrasOf(here, manifests, options.platforms.length > 0),
  });
  for (const name of image.names) options.progress({ stream: `Loaded image: ${familiarName(name)}\n` });
  if (image.names.length === 0) options.progress({ stream: `Loaded image ID: ${digest}\n` });
  ports.events.happened('load', digest, {});
}

/** What the image holds besides its platforms: indexes, attestations. Platforms that weren't asked for are none of it. */
function extrasOf(here: ImageDocuments, manifests: ImageManifest[], isFiltered: boolean): Digest[] {
  const chosen = new Set(manifests.map(({ digest }) => digest));
  const kept = here.documents.filter(
    ({ descriptor, manifest }) =>
      !isFiltered || manifest === undefined || chosen.has(descriptor.digest) || isAttestation(descriptor),
  );
  const own = new Set(manifests.flatMap(blobsOfManifest));
  const [root] = here.documents;
  return contentOf({ documents: kept, missing: [] }).filter(
    (digest) => digest !== root?.descriptor.digest && !own.has(digest),
  );
}

async function chosenManifests(
  here: ImageDocuments,
  { image, shown, load }: { image: ArchivedImage; shown: string; load: Load },
): Promise<ImageManifest[]> {
  const { content } = load.ports;
  const [lacking] = here.missing;
  const documents = here.documents.filter(isImage);
  if (documents.length === 0)
    throw lacking === undefined
      ? new EngineError('invalid', `Cannot load ${shown}: it is no container image`)
      : new EngineError('not-found', `Cannot load ${shown}: the archive hasn't got all of ${lacking.digest}`);
  const joined: ImageManifest[] = [];
  for (const document of documents) joined.push(await join(document, content));
  const { platforms } = load.options;
  if (platforms.length === 0) return joined;
  const texts = platforms.map((platform) => formatPlatform(normalizePlatform(platform)));
  const chosen = joined.filter(({ config }) =>
    texts.includes(formatPlatform(normalizePlatform(config.platform))),
  );
  if (chosen.length > 0) return chosen;
  throw new EngineError(
    'not-found',
    `image with reference ${image.names[0] === undefined ? image.root.digest : familiarName(image.names[0])} was found but does not provide ${texts.length === 1 ? 'the specified platform' : 'any of the specified platforms'} (${texts.join(', ')})`,
    { code: 'no-matching-platform' },
  );
}

function isImage({ descriptor, manifest }: StoredDocument): boolean {
  return manifest !== undefined && isImageConfigType(manifest.config.mediaType) && !isAttestation(descriptor);
}

async function join(
  { descriptor, bytes, manifest }: StoredDocument,
  content: ContentStore,
): Promise<ImageManifest> {
  const { digest, mediaType } = descriptor;
  const config = await content.read((manifest ?? refuse()).config.digest, { maxBytes: MAX_CONFIG_BYTES });
  return joinImageManifest({ digest, mediaType, size: bytes.length }, bytes, config);
}

function refuse(): never {
  throw new EngineError('internal', 'An index has no config');
}

async function stageLayers(manifest: ImageManifest, { options, ports }: Load): Promise<LayerBlob[]> {
  const wanted = layerFetches(manifest, ports);
  const present = await presentLayers(wanted, ports.fetches);
  const tell = (at: number, done: boolean): void => {
    const job = wanted[at]?.job;
    if (job === undefined || options.quiet || present[at] !== undefined) return;
    const { size } = job.descriptor;
    const id = hexOf(job.diffId).slice(0, 12);
    options.progress({ id, status: 'Loading layer', current: done ? size : 0, total: size });
  };
  for (const at of wanted.keys()) tell(at, false);
  return await bringLayers(wanted, {
    fetches: ports.fetches,
    present,
    signal: options.signal,
    progress: (at, { phase }) => {
      if (phase === 'complete') tell(at, true);
    },
  });
}

function layerFetches({ manifest, config, chainIds }: ImageManifest, ports: LoadPorts): LayerFetch[] {
  return config.diffIds.flatMap((diffId, at) => {
    const descriptor = manifest.layers[at];
    const chainId = chainIds[at];
    if (descriptor === undefined || chainId === undefined) return [];
    const job = {
      contentRoot: ports.content.root,
      registry: ports.registry.config(),
      origin: undefined,
      descriptor,
      diffId,
    };
    return [{ job, chainId, parent: chainIds[at - 1] }];
  });
}
