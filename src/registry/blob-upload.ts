import { EngineError } from '../errors/engine-error.ts';
import type { BlobOpener, UploadRequest } from './push-client.ts';
import { RegistryResponseError } from './response-errors.ts';
import { pauseBefore } from './retry.ts';
import type { RegistryTiming } from './timing.ts';
import type { TransportResponse } from './transport.ts';

export interface UploadCall {
  method: 'POST' | 'PATCH' | 'PUT' | 'GET' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  body?: ReadableStream<Uint8Array>;
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

/**
 * One upload session (distribution specification, "Pushing blobs"): POST, then the bytes in one PUT, or in PATCHes and an empty PUT.
 * A broken attempt is repeated: in pieces from where the registry says it stands, whole otherwise.
 */
export async function uploadBlob(options: BlobUploadOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let session: URL | undefined;
    try {
      session = locationOf(await options.call({ method: 'POST', url: options.startUrl }, [202]));
      if (options.request.chunkBytes === undefined) await sendWhole(options, session);
      else await sendPieces(options, session, options.request.chunkBytes);
      options.request.onProgress?.(options.size);
      return;
    } catch (error) {
      if (session !== undefined) await abandon(options, session);
      if (attempt >= options.timing.blobAttempts) throw error;
      await pauseBefore(attempt, error, { timing: options.timing, signal: options.request.signal });
    }
  }
}

async function sendWhole(options: BlobUploadOptions, session: URL): Promise<void> {
  const body = counted(await options.open(0), options.size, options.request.onProgress);
  await options.call(
    { method: 'PUT', url: withDigest(session, options.digest), ...payload(body, options.size) },
    [201],
  );
}

async function sendPieces(options: BlobUploadOptions, session: URL, chunkBytes: number): Promise<void> {
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
      if (error instanceof RegistryResponseError && error.status !== 416) throw error;
      if (++failures >= options.timing.blobAttempts) throw error;
      await pauseBefore(failures, asBroken(error), {
        timing: options.timing,
        signal: options.request.signal,
      });
      ({ url, offset } = await standing(options, url));
    }
    options.request.onProgress?.(offset);
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

/** A piece out of step is as good as a broken connection: ask where the registry stands. */
function asBroken(error: unknown): unknown {
  if (!(error instanceof RegistryResponseError)) return error;
  return new EngineError('unavailable', error.message, { code: 'registry-unreachable', cause: error });
}

async function abandon(options: BlobUploadOptions, session: URL): Promise<void> {
  if (options.request.signal.aborted) return;
  // The registry removes it in time by itself.
  await options.call({ method: 'DELETE', url: session }, [200, 202, 204, 404]).catch(() => undefined);
}

function payload(body: ReadableStream<Uint8Array>, size: number) {
  return { headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) }, body };
}

function withDigest(url: URL, digest: string): URL {
  const target = new URL(url);
  target.searchParams.set('digest', digest);
  return target;
}

/** @throws EngineError "unavailable" where a session has no address, or one on another host: credentials would follow. */
function locationOf(response: TransportResponse, fallback?: URL): URL {
  const location = response.headers.get('location');
  if (location === null && fallback !== undefined) return fallback;
  if (location === null || !URL.canParse(location, response.url.href))
    throw new EngineError('unavailable', 'Cannot upload: the registry names no upload location', {
      code: 'registry-unreachable',
    });
  return new URL(location, response.url.href);
}

/** At most `size` bytes of a stream; the rest is not read. */
function limited(stream: ReadableStream<Uint8Array>, size: number): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let left = size;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = left === 0 ? { done: true, value: undefined } : await reader.read();
      if (done || value === undefined) {
        controller.close();
        await reader.cancel();
        return;
      }
      const part = value.length > left ? value.subarray(0, left) : value;
      left -= part.length;
      controller.enqueue(part);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** Fails where the stream hasn't `size` bytes: a promised length must be kept. */
function counted(
  stream: ReadableStream<Uint8Array>,
  size: number,
  onProgress?: (sentBytes: number) => void,
): ReadableStream<Uint8Array> {
  let sent = 0;
  const reader = stream.getReader();
  const wrong = () =>
    new EngineError('invalid', `Cannot upload: the blob hasn't the ${size} bytes it should have`);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done || value === undefined) {
          if (sent !== size) throw wrong();
          controller.close();
          return;
        }
        sent += value.length;
        if (sent > size) throw wrong();
        controller.enqueue(value);
        onProgress?.(sent);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
