import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { shownUrl } from '../transport/network-errors.ts';
import type { RegistryTiming } from '../transport/timing.ts';
import type { Transport, TransportResponse } from '../transport/transport.ts';

export interface ElsewhereRequest {
  /** In order; not to be trusted: a manifest named them. */
  urls: readonly string[];
  digest: Digest;
  start: number;
  signal: AbortSignal;
}

/** Each may keep us waiting. */
const MAX_URLS = 5;

/**
 * Ask for a layer at the addresses that its manifest names for it: by https alone, redirects too, and without any credential. Its bytes are as unverified as a
 * registry's.
 *
 * @param refused What the registry said, which is the error where none of them helps.
 */
export async function askElsewhere(
  request: ElsewhereRequest,
  { transport, timing }: { transport: Transport; timing: RegistryTiming },
  refused: unknown,
): Promise<TransportResponse> {
  const failures: string[] = [];
  for (const text of request.urls.slice(0, MAX_URLS)) {
    try {
      return await askAt(text, request, { transport, timing });
    } catch (error) {
      request.signal.throwIfAborted();
      failures.push(messageOf(error));
    }
  }
  throw withFailures(refused, request.digest, failures);
}

async function askAt(
  text: string,
  { start, signal }: ElsewhereRequest,
  { transport, timing }: { transport: Transport; timing: RegistryTiming },
): Promise<TransportResponse> {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:') throw new Error(`${quoted(text)}: not an https URL`);
  if (url.username !== '' || url.password !== '')
    throw new Error(`${quoted(shownUrl(url))}: a URL with a user is not asked`);
  const response = await transport.send({
    method: 'GET',
    url,
    headers: { 'accept-encoding': 'identity', ...(start > 0 ? { range: `bytes=${start}-` } : {}) },
    signal,
    headMs: timing.originHeadMs,
    httpsOnly: true,
  });
  if (response.status === 200 || response.status === 206 || response.status === 416) return response;
  response.cancel();
  throw new Error(`Get ${quoted(shownUrl(url))}: status ${response.status}`);
}

function withFailures(refused: unknown, digest: Digest, failures: readonly string[]): unknown {
  if (!(refused instanceof EngineError)) return refused;
  return new EngineError(refused.kind, refused.message, {
    ...(refused.code === undefined ? {} : { code: refused.code }),
    hint: `Layer ${digest} may lie elsewhere; its own URLs were asked too: ${failures.join('; ')}.`,
    cause: refused,
  });
}

/** Of somebody else's text: short, and nothing that commands a terminal. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
