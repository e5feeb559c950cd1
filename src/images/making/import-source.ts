import { EngineError, type ErrorKind } from '../../errors/engine-error.ts';
import type { RegistryConfig } from '../../registry/client/registry-client.ts';
import { reasonOf } from '../../registry/transport/network-errors.ts';
import { outgoingFetch } from '../../registry/transport/outgoing-fetch.ts';

export interface ImportSource {
  /** As it may be shown. */
  url: string;
  /** Bytes to come, where the server tells. */
  size: number | undefined;
  stream: ReadableStream<Uint8Array>;
}

export interface ImportOptions {
  signal: AbortSignal;
  proxy: RegistryConfig['proxy'];
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
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
export async function openImportSource(source: string, options: ImportOptions): Promise<ImportSource> {
  const url = source.includes('://') ? source : `http://${source}`;
  if (!URL.canParse(url)) throw new EngineError('invalid', `parse ${JSON.stringify(url)}: invalid URL`);
  const shown = withoutPassword(url);
  const response = await follow(url, options);
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

async function follow(first: string, options: ImportOptions): Promise<Response> {
  let url = first;
  for (let hop = 0; ; hop++) {
    const response = await get(url, options);
    const location = REDIRECTS.has(response.status) ? response.headers.get('location') : null;
    if (location === null) return response;
    await response.body?.cancel();
    if (hop === MAX_REDIRECTS || !URL.canParse(location, url))
      throw new EngineError(
        'internal',
        `Get ${JSON.stringify(withoutPassword(first))}: ${hop === MAX_REDIRECTS ? `stopped after ${MAX_REDIRECTS} redirects` : 'it redirects to what is no URL'}`,
      );
    url = new URL(location, url).href;
  }
}

async function get(url: string, { signal, proxy }: ImportOptions): Promise<Response> {
  const { protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new EngineError(
      'internal',
      `Get ${JSON.stringify(withoutPassword(url))}: unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`,
    );
  try {
    return await outgoingFetch(new URL(url), proxy, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    const reason = reasonOf(new URL(url), error);
    throw new EngineError('internal', `Get ${JSON.stringify(withoutPassword(url))}: ${reason}`);
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
