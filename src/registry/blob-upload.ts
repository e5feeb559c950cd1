import { EngineError } from '../errors/engine-error.ts';
import type { BlobOpener, UploadRequest } from './client/push-client.ts';
import { RegistryResponseError } from './transport/response-errors.ts';
import { pauseBefore } from './transport/retry.ts';
import type { RegistryTiming } from './transport/timing.ts';
import type { TransportResponse } from './transport/transport.ts';
import { counted, limited } from './transport/upload-stream.ts';

export interface UploadCall {
  method: 'POST' | 'PATCH' | 'PUT' | 'GET' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  body?: ReadableStream<Uint8Array>;
  /** Instead of the request's. */
  signal?: AbortSignal;
}

export interface BlobUploadOptions {
  /** Where uploads begin: `…/blobs/uploads/`. */
  startUrl: URL;
  digest: string;
  size: number;
  open: BlobOpener;
  request: UploadRequest;
  timing: RegistryTiming;
  /** Send; resolves with a response of one of `expected` statuses, whose body has been let go. */
  call(call: UploadCall, expected: number[]): Promise<TransportResponse>;
}

/** How long the registry may take to give an upload session up. */
const ABANDON_MS = 2000;

/**
 * One upload session (distribution specification, "Pushing blobs"): POST, then the bytes in one PUT, or in PATCHes and an empty PUT.
 * A broken attempt is repeated: in pieces from where the registry says it stands, whole otherwise.
 */
export async function uploadBlob(options: BlobUploadOptions): Promise<void> {
  const { request, timing } = options;
  const expiry = new TokenExpiry();
  for (let attempt = 1; ; attempt++) {
    let session: URL | undefined;
    try {
      const begun = await options.call({ method: 'POST', url: options.startUrl }, [202]);
      session = locationOf(begun);
      const chunkBytes = chunkSize(request.chunkBytes, begun.headers);
      if (chunkBytes === undefined) await sendWhole(options, session);
      else await sendPieces({ options, chunkBytes, expiry }, session);
      request.onProgress?.(options.size);
      return;
    } catch (error) {
      if (session !== undefined) await abandon(options, session);
      if (attempt >= timing.blobAttempts) throw error;
      if (expiry.explains(error)) continue;
      const isLost = session !== undefined && statusOf(error) === 404;
      await pauseBefore(attempt, isLost ? asBroken(error) : error, {
        timing,
        signal: request.signal,
        onPause: request.onRetry,
      });
    }
  }
}

/** A stream can't be sent twice, so a token that expired on the way comes out as a refusal: the first is worth another attempt, with a new token. */
class TokenExpiry {
  #seen = false;

  explains(error: unknown): boolean {
    if (this.#seen || statusOf(error) !== 401) return false;
    this.#seen = true;
    return true;
  }
}

/** A registry may want larger pieces than ours. */
function chunkSize(wanted: number | undefined, headers: Headers): number | undefined {
  const least = headers.get('oci-chunk-min-length') ?? '';
  return wanted === undefined ? undefined : Math.max(wanted, /^\d{1,12}$/.test(least) ? Number(least) : 0);
}

async function sendWhole(options: BlobUploadOptions, session: URL): Promise<void> {
  const body = counted(await options.open(0), options.size, options.request.onProgress);
  await options.call(
    { method: 'PUT', url: withDigest(session, options.digest), ...payload(body, options.size) },
    [201],
  );
}

interface PieceOptions {
  options: BlobUploadOptions;
  chunkBytes: number;
  expiry: TokenExpiry;
}

async function sendPieces({ options, chunkBytes, expiry }: PieceOptions, session: URL): Promise<void> {
  const { timing, request } = options;
  let url = session;
  let offset = 0;
  let failures = 0;
  while (offset < options.size) {
    const end = Math.min(offset + chunkBytes, options.size);
    try {
      url = locationOf(await sendPiece({ options, url, offset, end }));
      offset = end;
      failures = 0;
    } catch (error) {
      if (!expiry.explains(error)) {
        if (++failures >= timing.blobAttempts) throw error;
        const cause = statusOf(error) === 416 ? asBroken(error) : error;
        await pauseBefore(failures, cause, { timing, signal: request.signal, onPause: request.onRetry });
      }
      ({ url, offset } = await standing(options, url));
    }
    request.onProgress?.(offset);
  }
  await options.call(
    { method: 'PUT', url: withDigest(url, options.digest), headers: { 'content-length': '0' } },
    [201],
  );
}

async function sendPiece(piece: {
  options: BlobUploadOptions;
  url: URL;
  offset: number;
  end: number;
}): Promise<TransportResponse> {
  const { options, url, offset, end } = piece;
  const body = counted(limited(await options.open(offset), end - offset), end - offset);
  const { headers, body: stream } = payload(body, end - offset);
  const range = { ...headers, 'content-range': `${offset}-${end - 1}` };
  return options.call({ method: 'PATCH', url, headers: range, body: stream }, [202, 204]);
}

/** Where the registry stands: it may have taken part of a piece whose answer was lost. */
async function standing(options: BlobUploadOptions, url: URL): Promise<{ url: URL; offset: number }> {
  const response = await options.call({ method: 'GET', url }, [204]);
  const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1];
  // `0-0` means one byte as well as none: none is the safe reading only where the piece can be sent again, so start over on doubt.
  const offset = end === undefined || end === '0' ? 0 : Number(end) + 1;
  return { url: locationOf(response, url), offset: Math.min(offset, options.size) };
}

/** A piece out of step, a session that is gone: as good as a broken connection. */
function asBroken(error: unknown): unknown {
  if (!(error instanceof RegistryResponseError)) return error;
  return new EngineError('unavailable', error.message, { code: 'registry-unreachable', cause: error });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof RegistryResponseError ? error.status : undefined;
}

/** Also when aborted, so with a signal of its own. What can't be told the registry removes in time by itself. */
async function abandon(options: BlobUploadOptions, session: URL): Promise<void> {
  const signal = AbortSignal.timeout(ABANDON_MS);
  await options.call({ method: 'DELETE', url: session, signal }, [200, 202, 204, 404]).catch(() => undefined);
}

function payload(body: ReadableStream<Uint8Array>, size: number) {
  return { headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) }, body };
}

function withDigest(url: URL, digest: string): URL {
  const target = new URL(url);
  target.searchParams.set('digest', digest);
  return target;
}

/** @throws EngineError "unavailable" where a session has no address. */
function locationOf(response: TransportResponse, fallback?: URL): URL {
  const location = response.headers.get('location');
  if (location === null && fallback !== undefined) return fallback;
  const url = location === null ? null : URL.parse(location, response.url.href);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new EngineError('unavailable', 'Cannot upload: the registry names no upload location', {
    code: 'registry-unreachable',
  });
}
