import type { Digest } from '../../../oci/digest.ts';
import type { ManifestLinks } from '../manifest.ts';
import type { Repository } from '../repository-index.ts';

export interface CollectionOptions {
  /** Manifests that no tag leads to go too. */
  untagged: boolean;
  /** What was given, asked for or read after this stays: an upload may be about to name it. Wall clock, ms. */
  unusedSinceMs: number;
}

export interface RepositoryPlan {
  repository: string;
  manifests: Digest[];
  blobs: Digest[];
}

/**
 * What a repository may let go of: blobs that no manifest names, and where asked for, manifests that no tag leads to, through indexes, or by way of a
 * subject that stays.
 *
 * `links` undefined for a manifest that can't be read: then the whole repository is left as it is.
 */
export function planCollection(
  name: string,
  repository: Repository,
  links: ReadonlyMap<Digest, ManifestLinks | undefined>,
  { untagged, unusedSinceMs }: CollectionOptions,
): RepositoryPlan {
  const plan: RepositoryPlan = { repository: name, manifests: [], blobs: [] };
  const all = [...repository.manifests.keys()];
  if (all.some((digest) => links.get(digest) === undefined)) return plan;
  const isOld = (digest: Digest) =>
    (repository.blobs.get(digest) ?? Number.POSITIVE_INFINITY) <= unusedSinceMs;
  const roots = all.filter((digest) => !untagged || !isOld(digest));
  const marked = markManifests([...repository.tags.values(), ...roots], repository, links);
  const named = new Set(
    [...marked].flatMap((digest) => (links.get(digest)?.blobs ?? []).map((link) => link.digest)),
  );
  plan.manifests = all.filter((digest) => !marked.has(digest));
  plan.blobs = [...repository.blobs.keys()].filter(
    (digest) => !repository.manifests.has(digest) && !named.has(digest) && isOld(digest),
  );
  return plan;
}

function markManifests(
  roots: readonly Digest[],
  repository: Repository,
  links: ReadonlyMap<Digest, ManifestLinks | undefined>,
): Set<Digest> {
  const referrers = Map.groupBy(repository.manifests.entries(), ([, { subject }]) => subject);
  const marked = new Set<Digest>();
  const pending = [...roots];
  for (let digest = pending.pop(); digest !== undefined; digest = pending.pop()) {
    if (marked.has(digest) || !repository.manifests.has(digest)) continue;
    marked.add(digest);
    pending.push(...(links.get(digest)?.manifests ?? []).map((link) => link.digest));
    pending.push(...(referrers.get(digest) ?? []).map(([referrer]) => referrer));
  }
  return marked;
}
