import { messageOf } from '../../../errors/engine-error.ts';
import type { Logger } from '../../../errors/logger.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { BlobKeeper, BlobStore } from '../blob-backend.ts';
import { linksOf, MAX_MANIFEST_BYTES, type ManifestLinks } from '../manifest.ts';
import type { Repository, RepositoryIndex } from '../repository-index.ts';
import { planCollection, type RepositoryPlan } from './plan-collection.ts';

export interface CollectionPorts {
  store: BlobStore;
  /** What was pushed. A cache looks after itself. */
  index: RepositoryIndex;
  keeper: BlobKeeper;
  logger: Logger;
}

export interface CollectionRequest {
  dryRun: boolean;
  untagged: boolean;
  /** What was used within this time stays. */
  graceMs: number;
}

export interface CollectionReport {
  repositories: RepositoryPlan[];
  /** Bytes of what no repository names any more; on a dry run, of what none would. Shared ones may stay for others. */
  unnamedBytes: number;
}

/**
 * Mark and sweep over the repositories, beside uploads and pulls: what is used while this runs, or was a moment ago, stays.
 */
export async function collectGarbage(
  ports: CollectionPorts,
  { dryRun, untagged, graceMs }: CollectionRequest,
): Promise<CollectionReport> {
  const unusedSinceMs = Date.now() - graceMs;
  const plans: RepositoryPlan[] = [];
  for (const name of ports.index.names()) {
    const repository = ports.index.repository(name);
    if (repository === undefined) continue;
    const links = await readLinks(ports, name, repository);
    plans.push(planCollection(name, repository, links, { untagged, unusedSinceMs }));
  }
  const worthwhile = plans.filter(({ manifests, blobs }) => manifests.length + blobs.length > 0);
  const unnamedBytes = await sizeOfUnnamed(ports, worthwhile);
  if (!dryRun) await sweep(ports, worthwhile, unusedSinceMs);
  return { repositories: worthwhile, unnamedBytes };
}

async function sweep(
  { index, keeper }: CollectionPorts,
  plans: readonly RepositoryPlan[],
  unusedSinceMs: number,
): Promise<void> {
  const removed: Digest[] = [];
  for (const { repository, manifests, blobs } of plans) {
    // Manifests first: what is left after a crash are blobs, which the next collection finds.
    for (const digest of manifests)
      if (await index.removeUntagged(repository, digest, unusedSinceMs)) removed.push(digest);
    for (const digest of blobs)
      if (await index.unlinkBlob(repository, digest, unusedSinceMs)) removed.push(digest);
  }
  await keeper.release(removed);
}

async function readLinks(
  { store, logger }: CollectionPorts,
  name: string,
  { manifests }: Repository,
): Promise<Map<Digest, ManifestLinks | undefined>> {
  const links = new Map<Digest, ManifestLinks | undefined>();
  for (const digest of manifests.keys()) {
    try {
      links.set(digest, linksOf(await store.read(digest, { maxBytes: MAX_MANIFEST_BYTES })));
    } catch (error) {
      links.set(digest, undefined);
      logger.warn('a manifest cannot be read: its repository is left as it is', {
        repository: name,
        digest,
        reason: messageOf(error),
      });
    }
  }
  return links;
}

/** Blobs that every repository that has them would let go of. */
async function sizeOfUnnamed(
  { index, store }: CollectionPorts,
  plans: readonly RepositoryPlan[],
): Promise<number> {
  const leaving = new Map<Digest, number>();
  for (const { manifests, blobs } of plans)
    for (const digest of [...manifests, ...blobs]) leaving.set(digest, (leaving.get(digest) ?? 0) + 1);
  const owners = (digest: Digest) => index.names().filter((name) => index.has(name, digest)).length;
  let bytes = 0;
  for (const [digest, count] of leaving)
    if (owners(digest) <= count) bytes += (await store.size(digest)) ?? 0;
  return bytes;
}
