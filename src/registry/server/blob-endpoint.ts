import type { Digest } from '../../oci/digest.ts';
import type { OpenBlob } from './blob-backend.ts';
import type { RegistryCall } from './call.ts';
import { etagOf, matchesEtag } from './etag.ts';
import { RegistryRefusal } from './refusal.ts';

interface Target {
  repository: string;
  digest: Digest;
}

interface Range {
  start: number;
  /** The byte after the last. */
  end: number;
}

/** `/v2/<name>/blobs/<digest>`. */
export async function blobEndpoint({ backend, request }: RegistryCall, target: Target): Promise<Response> {
  const { repository, digest } = target;
  if (request.method === 'DELETE') {
    if (!(await backend.deleteBlob(repository, digest))) throw blobUnknown(digest);
    return new Response(null, { status: 202 });
  }
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw RegistryRefusal.method('GET, HEAD, DELETE');
  const known = matchesEtag(request.headers.get('if-none-match'), digest);
  const blob = await backend.openBlob(repository, digest, { peek: known || request.method === 'HEAD' });
  if (blob === undefined) throw blobUnknown(digest);
  const headers = {
    'docker-content-digest': digest,
    etag: etagOf(digest),
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000',
    'content-type': 'application/octet-stream',
  };
  if (known) return new Response(null, { status: 304, headers });
  return blob.size === undefined
    ? new Response(request.method === 'HEAD' ? null : blob.body(), { headers })
    : answer(request, { ...blob, size: blob.size }, headers);
}

function answer(
  request: Request,
  blob: OpenBlob & { size: number },
  headers: Record<string, string>,
): Response {
  const condition = request.headers.get('if-range');
  const asked = condition === null || condition === headers['etag'] ? request.headers.get('range') : null;
  const range = parseRange(asked, blob.size);
  const { start, end } = range ?? { start: 0, end: blob.size };
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${blob.size}` };
  const body = request.method === 'HEAD' || start === end ? null : blob.body(range);
  return new Response(body, {
    status: range === undefined ? 200 : 206,
    headers: { ...headers, ...partial, 'content-length': String(end - start) },
  });
}

/**
 * One range of bytes (RFC 9110, 14.1.2); more than one, or none that can be read, is no range at all.
 *
 * @throws RegistryRefusal 416 for a range that begins behind the end, or behind its own.
 */
export function parseRange(header: string | null, size: number): Range | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
  if (start < end) return { start, end };
  throw new RegistryRefusal(416, 'SIZE_INVALID', 'the range is not within the blob', {
    headers: { 'content-range': `bytes */${size}` },
  });
}

function blobUnknown(digest: Digest): RegistryRefusal {
  return new RegistryRefusal(404, 'BLOB_UNKNOWN', 'blob unknown to registry', { detail: digest });
}
