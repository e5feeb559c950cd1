import { EngineError, type ErrorKind, messageOf } from '../errors/engine-error.ts';

export interface ImportSource {
  /** As it may be shown. */
  url: string;
  /** Bytes to come, where the server tells. */
  size: number | undefined;
  stream: ReadableStream<Uint8Array>;
}

/** So much of a refusal is told. */
const MAX_BODY_BYTES = 1000;
const KINDS: Partial<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
};

/**
 * Open the archive that `docker import URL` names; a scheme that is left out is http.
 *
 * @throws EngineError, in Docker's words, for what isn't a URL and for whatever the server refuses; `signal.reason` when aborted.
 */
export async function openImportSource(source: string, signal: AbortSignal): Promise<ImportSource> {
  const url = source.includes('://') ? source : `http://${source}`;
  if (!URL.canParse(url)) throw new EngineError('invalid', `parse ${JSON.stringify(url)}: invalid URL`);
  const { protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new EngineError(
      'internal',
      `Get ${JSON.stringify(url)}: unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`,
    );
  const shown = withoutPassword(url);
  const response = await get(url, signal);
  const { status, statusText, body, headers } = response;
  if (status >= 400) {
    const text = (await beginning(body, MAX_BODY_BYTES)).trim();
    const message = `failed to GET ${shown} with status ${status} ${statusText}`.trim();
    throw new EngineError(KINDS[status] ?? 'internal', text === '' ? message : `${message}: ${text}`);
  }
  const length = Number(headers.get('content-length') ?? Number.NaN);
  return {
    url: shown,
    size: Number.isSafeInteger(length) ? length : undefined,
    stream: body ?? new ReadableStream({ start: (controller) => controller.close() }),
  };
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, decompress: false });
  } catch (error) {
    signal.throwIfAborted();
    throw new EngineError('internal', `Get ${JSON.stringify(withoutPassword(url))}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** As Go shows URLs in errors; one without a password is as it was given. */
function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password === '') return url;
  parsed.password = '***';
  return parsed.href;
}

/** Of a body that may have no end. */
async function beginning(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= maxBytes) break;
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxBytes));
}
