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
  const open = async (peek: boolean) => {
    const opened = await backend.openBlob(repository, digest, { peek, signal: request.signal });
    if (opened === undefined) throw blobUnknown(digest);
    return opened;
  };
  const peek = known || request.method === 'HEAD';
  if (!peek && rangeAsked(request, digest) !== null) checkRange(request, target, await open(true));
  const blob = await open(peek);
  try {
    return known
      ? new Response(null, { status: 304, headers: headersOf(digest) })
      : answer(request, target, blob);
  } finally {
    blob.close();
  }
}

/** Before anything is fetched for it. @throws RegistryRefusal 416 */
function checkRange(request: Request, { digest }: Target, blob: OpenBlob): void {
  blob.close();
  if (blob.size !== undefined) parseRange(rangeAsked(request, digest), blob.size);
}

function headersOf(digest: Digest): Record<string, string> {
  return {
    'docker-content-digest': digest,
    etag: etagOf(digest),
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000',
    'content-type': 'application/octet-stream',
  };
}

/** Null: the whole blob. */
function rangeAsked({ headers }: Request, digest: Digest): string | null {
  const condition = headers.get('if-range');
  return condition === null || condition === etagOf(digest) ? headers.get('range') : null;
}

function answer(request: Request, { digest }: Target, blob: OpenBlob): Response {
  const { size } = blob;
  const headers = headersOf(digest);
  if (size === undefined) return new Response(request.method === 'HEAD' ? null : blob.body(), { headers });
  const range = parseRange(rangeAsked(request, digest), size);
  const { start, end } = range ?? { start: 0, end: size };
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` };
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
