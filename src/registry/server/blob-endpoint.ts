import type { Digest } from '../../oci/digest.ts';
import type { BlobBackend } from './blob-backend.ts';
import { RegistryRefusal } from './refusal.ts';

interface Target {
  repository: string;
  digest: Digest;
}

/** `/v2/<name>/blobs/<digest>`. */
export async function blobEndpoint(
  backend: BlobBackend,
  request: Request,
  target: Target,
): Promise<Response> {
  const { repository, digest } = target;
  if (request.method === 'DELETE') {
    if (!(await backend.deleteBlob(repository, digest))) throw blobUnknown(digest);
    return new Response(null, { status: 202 });
  }
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw RegistryRefusal.method('GET, HEAD, DELETE');
  const size = (await backend.hasBlob(repository, digest)) ? await backend.blobSize(digest) : undefined;
  if (size === undefined) throw blobUnknown(digest);
  const headers = {
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000',
    'content-type': 'application/octet-stream',
  };
  if (request.headers.get('if-none-match') === headers.etag)
    return new Response(null, { status: 304, headers });
  const range = parseRange(request.headers.get('range'), size);
  const { start, end } = range ?? { start: 0, end: size };
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` };
  const body =
    request.method === 'HEAD' || start === end ? null : open(backend, digest, { start, end, size });
  return new Response(body, {
    status: range === undefined ? 200 : 206,
    headers: { ...headers, ...partial, 'content-length': String(end - start) },
  });
}

function open(backend: BlobBackend, digest: Digest, part: { start: number; end: number; size: number }) {
  const path = backend.blobPath?.(digest);
  if (path !== undefined) return Bun.file(path).slice(part.start, part.end);
  return backend.blobStream(digest, part);
}

/**
 * One range of bytes (RFC 9110, 14.1.2); more than one, or none that can be read, is no range at all.
 *
 * @throws RegistryRefusal 416 for a range that begins behind the end.
 */
export function parseRange(header: string | null, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
  if (start < size && start < end) return { start, end };
  throw new RegistryRefusal(416, 'SIZE_INVALID', 'the range is not within the blob', {
    headers: { 'content-range': `bytes */${size}` },
  });
}

function blobUnknown(digest: Digest): RegistryRefusal {
  return new RegistryRefusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry', { detail: digest });
}
