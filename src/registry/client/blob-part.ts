import { EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import type { TransportResponse } from '../transport/transport.ts';
import type { BlobPart } from './blob-body.ts';

/** What of a blob an answer brings; undefined where it isn't what was asked for. */
export function partOf(
  response: TransportResponse,
  { start, stallMs }: { start: number; stallMs: number },
): BlobPart | undefined {
  const empty = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  const part = { start: 0, body: response.body ?? empty, stallMs, cancel: () => response.cancel() };
  if (response.status === 200 && !isHtml(response)) return part;
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status === 206 && start > 0 && Number(range?.[1]) === start) return { ...part, start };
  if (response.status !== 416 || Number(range?.[2]) !== start) return undefined;
  response.cancel();
  return { ...part, start, body: empty };
}

export function notTheBlob(digest: Digest): EngineError {
  return new EngineError('unavailable', `Cannot read blob ${digest}: the registry's answer is not the blob`, {
    code: 'registry-unreachable',
  });
}

function isHtml(response: TransportResponse): boolean {
  return /^text\/html\b/i.test(response.headers.get('content-type') ?? '');
}
