import { algorithmOf, isDigest } from '../../oci/digest.ts';
import { isTag } from '../../oci/reference.ts';
import type { BlobBackend } from './blob-backend.ts';
import type { RegistryCall } from './call.ts';
import { etagOf, matchesEtag } from './etag.ts';
import { describe, linksOf, MAX_MANIFEST_BYTES } from './manifest.ts';
import { RegistryRefusal } from './refusal.ts';
import { pacedBody } from './upload-body.ts';

const MAX_TAGS = 64;

interface Target {
  repository: string;
  reference: string;
}

/** `/v2/<name>/manifests/<reference>`. */
export async function manifestEndpoint(call: RegistryCall, target: Target): Promise<Response> {
  switch (call.request.method) {
    case 'GET':
    case 'HEAD':
      return send(call, target);
    case 'PUT':
      return receive(call, target);
    case 'DELETE': {
      if (!(await call.backend.deleteManifest(target.repository, target.reference)))
        throw manifestUnknown(target);
      return new Response(null, { status: 202 });
    }
    default:
      throw RegistryRefusal.method('GET, HEAD, PUT, DELETE');
  }
}

async function send({ backend, request }: RegistryCall, target: Target): Promise<Response> {
  const found = await backend.manifest(target.repository, target.reference);
  if (found === undefined) throw manifestUnknown(target);
  const { digest, mediaType, size } = found.descriptor;
  const headers = {
    'docker-content-digest': digest,
    etag: etagOf(digest),
    ...(found.stale === true ? { warning: '110 - "Response is Stale"' } : {}),
  };
  if (matchesEtag(request.headers.get('if-none-match'), digest))
    return new Response(null, { status: 304, headers });
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(found.bytes), {
    headers: { ...headers, 'content-type': mediaType, 'content-length': String(size) },
  });
}

async function receive(call: RegistryCall, target: Target): Promise<Response> {
  const { backend, request, url, locate } = call;
  const { repository, reference } = target;
  const bytes = await readManifest(call);
  const algorithm = isDigest(reference) ? algorithmOf(reference) : 'sha256';
  const stored = describe(bytes, request.headers.get('content-type'), algorithm);
  const { digest } = stored.descriptor;
  if (isDigest(reference) && reference !== digest)
    throw new RegistryRefusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  const asked = isDigest(reference) ? tagsAsked(url) : [];
  await requireLinks(backend, repository, bytes);
  await backend.putManifest(repository, { ...stored, tags: isDigest(reference) ? asked : [reference] });
  const response = new Response(null, {
    status: 201,
    headers: {
      location: locate(`/v2/${repository}/manifests/${digest}`),
      'docker-content-digest': digest,
      ...(stored.subject === undefined ? {} : { 'oci-subject': stored.subject }),
    },
  });
  for (const tag of asked) response.headers.append('oci-tag', tag);
  return response;
}

/** A push by digest may name its tags beside it: `?tag=a&tag=b`. */
function tagsAsked(url: URL): string[] {
  const tags = [...new Set(url.searchParams.getAll('tag'))];
  if (tags.length > MAX_TAGS)
    throw new RegistryRefusal(414, 'TAG_INVALID', `at most ${MAX_TAGS} tags are taken at once`);
  if (!tags.every(isTag)) throw new RegistryRefusal(400, 'TAG_INVALID', 'invalid tag name');
  return tags;
}

async function readManifest({ request, pace }: RegistryCall): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const tooLarge = () =>
    new RegistryRefusal(413, 'MANIFEST_INVALID', `manifest is larger than ${MAX_MANIFEST_BYTES} bytes`);
  if (Number(request.headers.get('content-length') ?? 0) > MAX_MANIFEST_BYTES) throw tooLarge();
  for await (const chunk of pacedBody(request.body, pace)) {
    size += chunk.length;
    if (size > MAX_MANIFEST_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** What an image or index names must be here, as the reference registry has it by default. A subject may come later. */
async function requireLinks(backend: BlobBackend, repository: string, bytes: Uint8Array): Promise<void> {
  const { blobs, manifests } = linksOf(bytes);
  for (const { digest } of [...blobs, ...manifests])
    if (!(await backend.hasBlob(repository, digest)))
      throw new RegistryRefusal(400, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry', {
        detail: { digest },
      });
}

function manifestUnknown({ repository, reference }: Target): RegistryRefusal {
  const detail = isDigest(reference) ? { name: repository, revision: reference } : { Tag: reference };
  return new RegistryRefusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown', { detail });
}
