import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isIndexType } from '../../oci/media-types.ts';
import {
  formatPlatform,
  hostPlatform,
  isAttestation,
  matchesPlatform,
  normalizePlatform,
  type Platform,
} from '../../oci/platform.ts';
import { type ImageDocuments, readDocuments, type StoredDocument } from '../store/image-documents.ts';
import type { ImageRecord } from '../store/image-record.ts';

/** What of an image is sent, and what that consists of. */
export interface TransferTarget extends ImageDocuments {
  root: Descriptor;
}

/** The descriptor that an image's ID stands for. */
export function rootOf({ id, mediaType, size }: ImageRecord): Descriptor {
  return { mediaType, digest: id, size };
}

/** The whole image: as much of it as is here. */
export async function wholeImage(content: ContentStore, image: ImageRecord): Promise<TransferTarget> {
  const root = rootOf(image);
  return { root, ...(await readDocuments(content, root)) };
}

/**
 * One platform's manifest alone.
 *
 * @throws EngineError "not-found" code no-matching-platform, "conflict" when several match, in Docker's words.
 */
export async function onePlatform(
  content: ContentStore,
  image: ImageRecord,
  { platform, name }: { platform: Platform; name: string },
): Promise<TransferTarget> {
  const whole = await wholeImage(content, image);
  const text = formatPlatform(normalizePlatform(platform));
  const matching = manifestsOf(whole, image).filter(
    ({ actual }) => formatPlatform(normalizePlatform(actual)) === text,
  );
  const [found, ...others] = matching;
  if (found === undefined) throw platformNotFound(name, platform);
  if (others.length > 0)
    throw new EngineError('conflict', `multiple manifests found for platform ${formatPlatform(platform)}`);
  return only(found.document);
}

/**
 * What a push sends where no platform was asked for: the whole image, or, when an index has parts that aren't here, the manifest that is here
 * or suits this host.
 *
 * @throws EngineError "conflict" when none of several suits.
 */
export async function pushable(
  content: ContentStore,
  image: ImageRecord,
  name: string,
): Promise<TransferTarget> {
  const whole = await wholeImage(content, image);
  if (whole.missing.length === 0) return whole;
  const manifests = manifestsOf(whole, image);
  const [first, ...others] = manifests;
  if (first === undefined) throw platformNotFound(name, hostPlatform());
  if (others.length === 0) return only(first.document);
  const suits = manifests.find(({ actual }) => matchesPlatform(hostPlatform(), actual));
  if (suits !== undefined) return only(suits.document);
  throw new EngineError('conflict', 'multiple matching manifests found but no specific platform requested');
}

function only(document: StoredDocument): TransferTarget {
  return { root: document.descriptor, documents: [document], missing: [] };
}

/** Manifests that are here, with their platforms: the config's, else the index's word. */
export function manifestsOf(
  { documents }: ImageDocuments,
  image: ImageRecord,
): { document: StoredDocument; actual: Platform }[] {
  return documents.flatMap((document) => {
    const { descriptor } = document;
    if (isIndexType(descriptor.mediaType) || isAttestation(descriptor)) return [];
    const known = image.manifests.find(({ digest }) => digest === descriptor.digest);
    const actual = known?.config.platform ?? descriptor.platform;
    return actual === undefined ? [] : [{ document, actual }];
  });
}

function platformNotFound(name: string, platform: Platform): EngineError {
  return new EngineError(
    'not-found',
    `image with reference ${name} was found but does not provide the specified platform (${formatPlatform(platform)})`,
    { code: 'no-matching-platform' },
  );
}
