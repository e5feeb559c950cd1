import { EngineError } from '../errors/engine-error.ts';
import { type Digest, hexOf, isDigest } from '../oci/digest.ts';
import {
  compatiblePlatforms,
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  type Platform,
} from '../oci/platform.ts';
import {
  canonicalName,
  familiarName,
  isIdentifier,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from '../oci/reference.ts';
import type { ImageManifest, ImageRecord } from './store/image-record.ts';
import type { ImageStore } from './store/image-store.ts';

export interface ResolvedImage {
  image: ImageRecord;
  /** The platform that the name itself chose: a manifest's or config's digest. */
  manifest: ImageManifest | undefined;
  /** How it was named; undefined by ID. */
  reference: Reference | undefined;
}

const ID_PREFIX = /^((?:sha256|sha384|sha512):)?([0-9a-f]{1,128})$/;

/**
 * Find an image by reference, ID, manifest or config digest, or a unique prefix of one.
 *
 * @throws EngineError "not-found" `No such image: x`, "invalid" for an ambiguous prefix.
 */
export function resolveImage(store: ImageStore, name: string): ResolvedImage {
  const digest = isIdentifier(name) ? `sha256:${name}` : name;
  if (isDigest(digest)) return byDigest(store, digest) ?? refuse(digest);
  const reference = parsed(name);
  const named = reference === undefined ? undefined : byReference(store, reference);
  return named ?? byPrefix(store, name) ?? refuse(reference === undefined ? name : familiarName(reference));
}

function refuse(name: string): never {
  throw new EngineError('not-found', `No such image: ${name}`);
}

function parsed(name: string): Reference | undefined {
  try {
    return withDefaultTag(parseReference(name));
  } catch (error) {
    if (ID_PREFIX.test(name)) return undefined;
    throw error;
  }
}

function byDigest(store: ImageStore, digest: Digest): ResolvedImage | undefined {
  const image = store.image(digest);
  if (image !== undefined) return { image, manifest: undefined, reference: undefined };
  for (const candidate of store.images()) {
    const manifest = candidate.manifests.find((one) => idsOf(one).includes(digest));
    if (manifest !== undefined) return { image: candidate, manifest, reference: undefined };
  }
  const other = store.images().find(({ extras }) => extras.includes(digest));
  return other && { image: other, manifest: undefined, reference: undefined };
}

function byReference(store: ImageStore, reference: Reference): ResolvedImage | undefined {
  if (reference.digest === undefined) {
    const tag = store.tag(canonicalName(reference));
    const image = tag === undefined ? undefined : store.image(tag.image);
    return image && { image, manifest: undefined, reference };
  }
  const found = byDigest(store, reference.digest);
  const repository = repositoryName(reference);
  if (found === undefined) return undefined;
  const isNamed = store.tags(found.image.id).some((tag) => repositoryName(tag.reference) === repository);
  return isNamed ? { ...found, reference } : undefined;
}

function byPrefix(store: ImageStore, name: string): ResolvedImage | undefined {
  const [, algorithm = '', prefix] = ID_PREFIX.exec(name) ?? [];
  if (prefix === undefined) return undefined;
  const matches = (digest: Digest): boolean =>
    digest.startsWith(algorithm) && hexOf(digest).startsWith(prefix);
  const found = store.images().map((image) => allIdsOf(image).filter(matches));
  const images = found.filter((digests) => digests.length > 0);
  const [first, ...others] = new Set(images.flat());
  // What one digest tells of several images (one config, say) is as good as that digest.
  if (first !== undefined && (others.length === 0 || images.length === 1)) return byDigest(store, first);
  if (first === undefined) return undefined;
  throw new EngineError(
    'invalid',
    `ambiguous reference: ${JSON.stringify(name)} matches ${images.length} images`,
  );
}

/** Its own first: they win over its platforms'. */
function allIdsOf({ id, extras, manifests }: ImageRecord): Digest[] {
  return [id, ...extras, ...manifests.flatMap(idsOf)];
}

function idsOf({ digest, manifest }: ImageManifest): Digest[] {
  return [digest, manifest.config.digest];
}

/**
 * One platform of an image: the one asked for, else what runs best on this host, else whatever there is.
 *
 * @throws EngineError "not-found" code no-matching-platform.
 */
export function choosePlatform(
  { image, manifest }: ResolvedImage,
  platform: Platform | undefined,
  name: string,
): ImageManifest {
  const [first, second] = image.manifests;
  const only = platform === undefined && second === undefined ? first : undefined;
  const best =
    platform === undefined && manifest !== undefined
      ? manifest
      : (only ?? bestManifest(image.manifests, platform ?? hostPlatform()));
  const chosen = best ?? (platform === undefined ? first : undefined);
  if (chosen !== undefined) return chosen;
  throw new EngineError(
    'not-found',
    `image with reference ${name} was found but does not provide the specified platform (${formatPlatform(platform ?? hostPlatform())})`,
    { code: 'no-matching-platform' },
  );
}

function bestManifest(manifests: readonly ImageManifest[], platform: Platform): ImageManifest | undefined {
  for (const wanted of compatiblePlatforms(platform)) {
    const text = formatPlatform(wanted);
    const found = manifests.find(({ config }) => formatPlatform(normalizePlatform(config.platform)) === text);
    if (found !== undefined) return found;
  }
  return undefined;
}
