import { EngineError } from '../../errors/engine-error.ts';
import type { TransportResponse } from './transport.ts';

/** A body's reader, as far as it is needed. */
export interface ChunkReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
}

export interface ReadLimits {
  maxBytes: number;
  /** Between two chunks. */
  stallMs: number;
  signal: AbortSignal;
}

/**
 * Read a small body whole and let the connection go.
 *
 * @throws EngineError "invalid" code size-exceeded, before more than `maxBytes` are held; "unavailable" when it stalls, breaks off or takes ten times
 * as long as a stall may.
 */
export async function readBody(response: TransportResponse, limits: ReadLimits): Promise<Uint8Array> {
  if (response.body === undefined) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const deadline = performance.now() + limits.stallMs * 10;
  try {
    if (Number(response.headers.get('content-length') ?? 0) > limits.maxBytes) throw tooLarge(limits);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await readChunk(reader, limits);
      if (done) break;
      if (performance.now() > deadline) throw interrupted('it is too slow');
      size += value.length;
      if (size > limits.maxBytes) throw tooLarge(limits);
      chunks.push(value);
    }
  } finally {
    response.cancel();
  }
  return joined(chunks, size);
}

/** In memory of their own: a Buffer may share a pool, which would go along with it to another thread. */
function joined(chunks: Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const DISCARD_LIMITS = { maxBytes: 64 << 10, stallMs: 1000 };

/** Read a body that nobody wants, if it is small: the connection can then be used again, which saves a TLS handshake. */
export async function discardBody(response: TransportResponse): Promise<void> {
  const signal = new AbortController().signal;
  await readBody(response, { ...DISCARD_LIMITS, signal }).catch(() => response.cancel());
}

/** The next chunk, or an error when none came for `stallMs`. The reader is of no use after an error. */
export async function readChunk(
  reader: ChunkReader,
  { stallMs, signal }: { stallMs: number; signal: AbortSignal },
): Promise<{ done: false; value: Uint8Array } | { done: true; value?: undefined }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(interrupted(`no data for ${stallMs / 1000} s`)), stallMs);
  });
  try {
    const result = await Promise.race([reader.read(), stalled]);
    return result.done || result.value === undefined ? { done: true } : { done: false, value: result.value };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof EngineError ? error : interrupted('unexpected EOF', error);
  } finally {
    clearTimeout(timer);
  }
}

function interrupted(reason: string, cause?: unknown): EngineError {
  return new EngineError('unavailable', `Cannot read from the registry: ${reason}`, {
    code: 'registry-unreachable',
    cause,
  });
}

function tooLarge({ maxBytes }: ReadLimits): EngineError {
  return new EngineError(
    'invalid',
    `Cannot read the registry's answer: it is larger than ${maxBytes} bytes`,
    {
      code: 'size-exceeded',
    },
  );
}
