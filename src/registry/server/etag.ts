import type { Digest } from '../../oci/digest.ts';

/** The entity tag of what never changes. */
export function etagOf(digest: Digest): string {
  return `"${digest}"`;
}

/** Whether `If-None-Match` names the digest: as an entity tag, weak or in a list, or bare, which clients of the reference registry send. */
export function matchesEtag(header: string | null, digest: Digest): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.some((tag) => tag === '*' || tag === digest || tag === etagOf(digest));
}
