import { EngineError, type ErrorKind, messageOf } from '../errors/engine-error.ts';

export interface ImportSource {
  url: string;
  /** Bytes to come, where the server tells. */
  size: number | undefined;
  stream: ReadableStream<Uint8Array>;
}

/** So much of a refusal is told. */
const MAX_BODY_CHARACTERS = 1000;
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
  const response = await get(url, signal);
  const { status, statusText, body, headers } = response;
  if (status >= 400) {
    const text = (await response.text()).trim().slice(0, MAX_BODY_CHARACTERS);
    const message = `failed to GET ${url} with status ${status} ${statusText}`.trim();
    throw new EngineError(KINDS[status] ?? 'internal', text === '' ? message : `${message}: ${text}`);
  }
  const length = Number(headers.get('content-length') ?? Number.NaN);
  return {
    url,
    size: Number.isSafeInteger(length) ? length : undefined,
    stream: body ?? new ReadableStream({ start: (controller) => controller.close() }),
  };
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, decompress: false });
  } catch (error) {
    signal.throwIfAborted();
    throw new EngineError('internal', `Get ${JSON.stringify(url)}: ${messageOf(error)}`, { cause: error });
  }
}
