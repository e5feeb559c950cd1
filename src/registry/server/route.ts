import { DIGEST_FORM, type Digest, isDigest } from '../../oci/digest.ts';
import { isRepositoryPath, isTag } from '../../oci/reference.ts';
import { RegistryRefusal } from './refusal.ts';

/** What a request's path names. `uploads` without id starts one. */
export type Route =
  | { kind: 'root' }
  | { kind: 'catalog' }
  | { kind: 'search' }
  | { kind: 'search-ping' }
  | { kind: 'token' }
  | { kind: 'manifest'; repository: string; reference: string }
  | { kind: 'blob'; repository: string; digest: Digest }
  | { kind: 'uploads'; repository: string; id: string | undefined }
  | { kind: 'tags'; repository: string }
  | { kind: 'referrers'; repository: string; digest: Digest };

/**
 * Names may contain the words `manifests` or `blobs` themselves: a path is read from its end.
 *
 * @throws RegistryRefusal for what is no path of the API, and for names, tags and digests outside their grammar.
 */
export function parseRoute(pathname: string): Route {
  const path = decode(pathname);
  if (path === '/v2/' || path === '/v2') return { kind: 'root' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (path === '/v1/search') return { kind: 'search' };
  if (path === '/v1/_ping') return { kind: 'search-ping' };
  if (path === '/token') return { kind: 'token' };
  const match =
    /^\/v2\/(.+)\/(?:(manifests|blobs|referrers)\/([^/]+)|blobs\/uploads(?:\/([^/]*))?|tags\/list)$/.exec(
      path,
    );
  const repository = match?.[1];
  if (match === null || repository === undefined) throw RegistryRefusal.notFound();
  // `x/blobs/uploads` without a slash reads as a blob named "uploads".
  if (match[2] === 'blobs' && match[3] === 'uploads') return uploads(repository, undefined);
  if (match[2] === undefined)
    return path.endsWith('/tags/list') ? tags(repository) : uploads(repository, match[4]);
  return named({ kind: match[2], repository, text: match[3] ?? '' });
}

function named(part: { kind: string; repository: string; text: string }): Route {
  const { kind, repository, text } = part;
  checkName(repository);
  if (kind === 'manifests') {
    if (!isTag(text) && !isDigest(text)) throw badReference(text);
    return { kind: 'manifest', repository, reference: text };
  }
  return { kind: kind === 'blobs' ? 'blob' : 'referrers', repository, digest: checkedDigest(text) };
}

function tags(repository: string): Route {
  checkName(repository);
  return { kind: 'tags', repository };
}

function uploads(repository: string, id: string | undefined): Route {
  checkName(repository);
  return { kind: 'uploads', repository, id: id === '' ? undefined : id };
}

/** @throws RegistryRefusal DIGEST_INVALID */
export function checkedDigest(text: string | null): Digest {
  if (text !== null && isDigest(text)) return text;
  throw new RegistryRefusal(400, 'DIGEST_INVALID', `provided digest is not ${DIGEST_FORM}`);
}

function checkName(repository: string): void {
  if (!isRepositoryPath(repository))
    throw new RegistryRefusal(400, 'NAME_INVALID', 'invalid repository name');
}

function badReference(text: string): RegistryRefusal {
  return text.includes(':')
    ? new RegistryRefusal(400, 'DIGEST_INVALID', `provided digest is not ${DIGEST_FORM}`)
    : new RegistryRefusal(400, 'TAG_INVALID', 'invalid tag name');
}

function decode(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw RegistryRefusal.notFound();
  }
}
