import { EngineError } from '../errors/engine-error.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { formatPlatform, normalizePlatform, type Platform } from '../oci/platform.ts';
import { canonicalName, familiarName, type Reference, repositoryName } from '../oci/reference.ts';
import type { DeleteResult } from './image-backend.ts';
import type { ImageEvents } from './image-events.ts';
import { type ResolvedImage, resolveImage } from './resolve-image.ts';
import { type ImageGc, rootsOf } from './store/gc.ts';
import { blobsOfManifest, type ImageRecord } from './store/image-record.ts';
import type { ImageStore } from './store/image-store.ts';
import type { ImageUsage } from './store/image-usage.ts';
import type { ImageTag } from './store/tag-index.ts';

export interface RemovePorts {
  store: ImageStore;
  gc: ImageGc;
  usage: ImageUsage;
  events: ImageEvents;
}

/**
 * Untag, and delete once nothing names the image (Docker's rules: a container's image needs force by name, a running container's is never deleted).
 *
 * @throws EngineError "conflict" code image-in-use.
 */
export async function removeImage(
  name: string,
  { force }: { force: boolean },
  ports: RemovePorts,
): Promise<DeleteResult[]> {
  const resolved = resolveImage(ports.store, name);
  const tags = ports.store.tags(resolved.image.id);
  if (resolved.reference === undefined) return await removeById(resolved.image, { force, tags }, ports);
  return await removeByName(name, { resolved, force, tags }, ports);
}

/**
 * Remove single platforms of an image; with the last one goes the image.
 *
 * @throws EngineError "not-found" code no-matching-platform, "conflict" code image-in-use while one runs.
 */
export async function removePlatforms(
  name: string,
  platforms: readonly Platform[],
  ports: RemovePorts,
): Promise<DeleteResult[]> {
  const { image } = resolveImage(ports.store, name);
  const chosen = platforms.map((platform) => {
    const text = formatPlatform(normalizePlatform(platform));
    const found = image.manifests.find(
      ({ config }) => formatPlatform(normalizePlatform(config.platform)) === text,
    );
    if (found !== undefined) return found;
    throw new EngineError(
      'not-found',
      `failed to delete platform ${text} for image ${image.id}: image with reference ${name} was found but does not provide the specified platform (${text})`,
      { code: 'no-matching-platform' },
    );
  });
  for (const { digest } of chosen) {
    const running = ports.usage.manifestUsedBy(digest).find((user) => user.running);
    if (running !== undefined)
      throw inUse(
        `unable to delete ${shortDigest(digest)} (cannot be forced) - image is being used by running container ${shortId(running.id)}`,
      );
  }
  const digests = new Set(chosen.map(({ digest }) => digest));
  if (digests.size === image.manifests.length) {
    const results = await deleteImage(image, ports.store.tags(image.id), ports);
    ports.gc.collectLater(rootsOf(image));
    return results;
  }
  for (const digest of digests) await ports.store.removeManifest(image.id, digest);
  for (const manifest of chosen)
    ports.gc.collectLater({ blobs: blobsOfManifest(manifest), chains: manifest.chainIds });
  return [...digests].map((deleted) => ({ deleted }));
}

async function removeByName(
  name: string,
  { resolved, force, tags }: { resolved: ResolvedImage; force: boolean; tags: ImageTag[] },
  ports: RemovePorts,
): Promise<DeleteResult[]> {
  const { image, reference } = resolved;
  const named = reference === undefined ? [] : tagsNamed(reference, tags);
  const isLast = named.length === tags.length;
  const [user] = ports.usage.usedBy(image.id);
  if (isLast && !force && user !== undefined)
    throw inUse(
      `unable to remove repository reference ${JSON.stringify(name)} (must force) - container ${shortId(user.id)} is using its referenced image ${shortDigest(image.id)}`,
    );
  const isRunning = ports.usage.usedBy(image.id).some(({ running }) => running);
  if (!isLast || isRunning) return await untag(image, named, ports);
  const results = await deleteImage(image, named, ports);
  ports.gc.collectLater(rootsOf(image));
  return results;
}

/** A digest names what was pulled by it; where nothing was, all that its repository has. */
function tagsNamed(reference: Reference, tags: ImageTag[]): ImageTag[] {
  if (reference.digest === undefined)
    return tags.filter((tag) => canonicalName(tag.reference) === canonicalName(reference));
  const inRepository = tags.filter((tag) => repositoryName(tag.reference) === repositoryName(reference));
  const byDigest = inRepository.filter((tag) => tag.reference.digest !== undefined);
  return byDigest.length > 0 ? byDigest : inRepository;
}

async function removeById(
  image: ImageRecord,
  { force, tags }: { force: boolean; tags: ImageTag[] },
  ports: RemovePorts,
): Promise<DeleteResult[]> {
  const users = ports.usage.usedBy(image.id);
  const refuse = (how: string, why: string): never => {
    throw inUse(`unable to delete ${shortDigest(image.id)} (${how}) - ${why}`);
  };
  const running = users.find((user) => user.running);
  if (running !== undefined)
    refuse('cannot be forced', `image is being used by running container ${shortId(running.id)}`);
  const repositories = new Set(tags.map(({ reference }) => repositoryName(reference)));
  if (!force && repositories.size > 1)
    refuse('must be forced', 'image is referenced in multiple repositories');
  const [user] = users;
  if (!force && user !== undefined)
    refuse('must be forced', `image is being used by stopped container ${shortId(user.id)}`);
  const results = await deleteImage(image, tags, ports);
  ports.gc.collectLater(rootsOf(image));
  return results;
}

async function untag(
  image: ImageRecord,
  tags: ImageTag[],
  { store, events }: RemovePorts,
): Promise<DeleteResult[]> {
  await store.removeTags(tags.map(({ reference }) => canonicalName(reference)));
  for (const _ of tags) events.happened('untag', image.id, labelsOf(image));
  return tags.map(({ reference }) => ({ untagged: familiarName(reference) }));
}

/** Image and tags go now; what only it referred to is the caller's to collect. */
export async function deleteImage(
  image: ImageRecord,
  tags: ImageTag[],
  { store, events }: RemovePorts,
): Promise<DeleteResult[]> {
  await store.removeImage(image.id);
  for (const _ of tags) events.happened('untag', image.id, labelsOf(image));
  // As Docker: what is gone has no labels any more.
  events.happened('delete', image.id, {});
  return [...tags.map(({ reference }) => ({ untagged: familiarName(reference) })), { deleted: image.id }];
}

export function labelsOf({ manifests }: ImageRecord): Record<string, string> {
  return manifests[0]?.config.config.labels ?? {};
}

function inUse(message: string): EngineError {
  return new EngineError('conflict', `conflict: ${message}`, { code: 'image-in-use' });
}

function shortId(id: string): string {
  return id.slice(0, 12);
}

function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}
