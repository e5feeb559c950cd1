import { createHash } from 'node:crypto';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { BlobBackend, StoredManifest } from './blob-backend.ts';
import { RegistryRefusal } from './refusal.ts';

export const MAX_MANIFEST_BYTES = 4 << 20;
const IMAGE_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const FOREIGN = /(^application\/vnd\.docker\.image\.rootfs\.foreign\.|\.nondistributable\.)/;

interface Target {
  repository: string;
  reference: string;
}

/** `/v2/<name>/manifests/<reference>`. */
export async function manifestEndpoint(
  backend: BlobBackend,
  request: Request,
  target: Target,
): Promise<Response> {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return send(backend, request, target);
    case 'PUT':
      return receive(backend, request, target);
    case 'DELETE': {
      if (!(await backend.deleteManifest(target.repository, target.reference))) throw manifestUnknown(target);
      return new Response(null, { status: 202 });
    }
    default:
      throw RegistryRefusal.method('GET, HEAD, PUT, DELETE');
  }
}

async function send(backend: BlobBackend, request: Request, target: Target): Promise<Response> {
  const found = await backend.manifest(target.repository, target.reference);
  if (found === undefined) throw manifestUnknown(target);
  const { digest, mediaType, size } = found.descriptor;
  const headers = { 'docker-content-digest': digest, etag: `"${digest}"` };
  if (request.headers.get('if-none-match') === `"${digest}"`)
    return new Response(null, { status: 304, headers });
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(found.bytes), {
    headers: { ...headers, 'content-type': mediaType, 'content-length': String(size) },
  });
}

async function receive(backend: BlobBackend, request: Request, target: Target): Promise<Response> {
  const bytes = await readManifest(request);
  const stored = describe(bytes, request.headers.get('content-type'));
  const { digest } = stored.descriptor;
  const byDigest = isDigest(target.reference);
  if (byDigest && target.reference !== digest)
    throw new RegistryRefusal(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  await requireBlobs({
    backend,
    repository: target.repository,
    bytes,
    mediaType: stored.descriptor.mediaType,
  });
  await backend.putManifest(target.repository, { ...stored, tag: byDigest ? undefined : target.reference });
  return new Response(null, {
    status: 201,
    headers: {
      location: `/v2/${target.repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(stored.subject === undefined ? {} : { 'oci-subject': stored.subject }),
    },
  });
}

async function readManifest(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const tooLarge = () =>
    new RegistryRefusal(413, 'MANIFEST_INVALID', `manifest is larger than ${MAX_MANIFEST_BYTES} bytes`);
  if (Number(request.headers.get('content-length') ?? 0) > MAX_MANIFEST_BYTES) throw tooLarge();
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_MANIFEST_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/**
 * Digest, media type and links of a manifest as it was sent.
 *
 * @throws RegistryRefusal MANIFEST_INVALID
 */
export function describe(bytes: Uint8Array, contentType: string | null): StoredManifest {
  const body = parse(bytes);
  const sent = (contentType ?? '').split(';', 1)[0]?.trim() ?? '';
  const mediaType = sent === '' ? stringOf(body['mediaType']) : sent;
  const isIndex = INDEX_TYPES.includes(mediaType);
  if (!isIndex && !IMAGE_TYPES.includes(mediaType)) throw invalid('unsupported media type');
  if (body['schemaVersion'] !== 2) throw invalid('schemaVersion is not 2');
  if (body['mediaType'] !== undefined && body['mediaType'] !== mediaType)
    throw invalid('media type mismatch');
  if (
    isIndex
      ? !Array.isArray(body['manifests']) || 'layers' in body
      : !Array.isArray(body['layers']) || 'manifests' in body
  )
    throw invalid('neither an image nor an index');
  const subject = stringOf(recordOf(body['subject'])['digest']);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
  const descriptor = withArtifact({ mediaType, digest, size: bytes.length }, body);
  return { descriptor, bytes, subject: isDigest(subject) ? subject : undefined };
}

/** As `referrers` must list it: the artifact's type, or that of the config, and the annotations. */
function withArtifact(descriptor: Descriptor, body: Record<string, unknown>): Descriptor {
  const artifactType = stringOf(body['artifactType']) || stringOf(recordOf(body['config'])['mediaType']);
  const annotations = Object.entries(recordOf(body['annotations'])).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return {
    ...descriptor,
    ...(artifactType === '' ? {} : { artifactType }),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

/** An image needs its config and layers to be here; an index may lack platforms. */
async function requireBlobs(image: {
  backend: BlobBackend;
  repository: string;
  bytes: Uint8Array;
  mediaType: string;
}): Promise<void> {
  if (INDEX_TYPES.includes(image.mediaType)) return;
  const body = parse(image.bytes);
  const layers = Array.isArray(body['layers']) ? body['layers'] : [];
  for (const blob of [body['config'], ...layers].map(recordOf)) {
    const digest = stringOf(blob['digest']);
    if (!isDigest(digest)) throw invalid('a descriptor has no sha256 digest');
    if (FOREIGN.test(stringOf(blob['mediaType']))) continue;
    if (!(await image.backend.hasBlob(image.repository, digest)))
      throw new RegistryRefusal(400, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry', {
        detail: { digest },
      });
  }
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    return recordOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    throw invalid('manifest is no JSON');
  }
}

function manifestUnknown({ repository, reference }: Target): RegistryRefusal {
  const detail = isDigest(reference) ? { name: repository, revision: reference } : { Tag: reference };
  return new RegistryRefusal(404, 'MANIFEST_UNKNOWN', 'manifest unknown', { detail });
}

function invalid(reason: string): RegistryRefusal {
  return new RegistryRefusal(400, 'MANIFEST_INVALID', 'manifest invalid', { detail: reason });
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
