import { messageOf } from '../../errors/engine-error.ts';
import { shownUrl } from '../transport/network-errors.ts';
import type { RegistryConnection } from '../transport/registry-connection.ts';
import type { TransportResponse } from '../transport/transport.ts';
import { isLoopback, splitHost } from './host-match.ts';
import { apiUrl, type Endpoint } from './sources.ts';

/** How a registry or mirror answers when its API's root is asked for, without a login. */
export interface SourceProbe {
  /** `https://mirror.example.com/v2/` */
  url: string;
  mirror: boolean;
  /** Until its answer began, name look-up and TLS included; until it was given up where there was none. */
  latencyMs: number;
  /** Why nothing can be pulled from it; undefined: it answers as a registry does. */
  problem: string | undefined;
  /** How far its clock is ahead of ours; undefined: it didn't say, or has our clock. Half a second, and the latency, are uncertain. */
  aheadMs: number | undefined;
}

/** Ask once, as a pull would: with this source's certificates, headers and proxy. Never rejects. */
export async function probeSource(
  { bare, config }: Pick<RegistryConnection, 'bare' | 'config'>,
  source: Endpoint,
  { signal, headMs }: { signal: AbortSignal; headMs: number },
): Promise<SourceProbe> {
  const url = apiUrl(source, '');
  const begunMs = performance.now();
  const probe = { url: shownUrl(url), mirror: source.mirror };
  const headers = { 'user-agent': config.userAgent, 'accept-encoding': 'identity' };
  try {
    const answer = await bare.transport.send({
      method: 'GET',
      url,
      headers,
      signal,
      headMs,
      trust: source.trust,
    });
    answer.cancel();
    const latencyMs = performance.now() - begunMs;
    return { ...probe, latencyMs, problem: problemOf(answer), aheadMs: aheadOf(answer, latencyMs) };
  } catch (error) {
    const latencyMs = performance.now() - begunMs;
    return { ...probe, latencyMs, problem: reasonOf(error, headMs), aheadMs: undefined };
  }
}

/** The API's root answers 200, or 401 where it wants to know who asks. */
function problemOf({ status, headers }: TransportResponse): string | undefined {
  const isPage = (headers.get('content-type') ?? '').includes('text/html');
  if (status === 401) return undefined;
  if (status === 200)
    return isPage ? 'answers with a web page: that is no registry, or one behind a login page' : undefined;
  if (status === 403) return 'refuses to serve this machine (403 Forbidden)';
  if (status === 404) return 'has no registry at this address (404 Not Found)';
  if (status === 429) return 'has had too many requests from here (429 Too Many Requests)';
  return `answers ${status}${isPage ? ' and a web page' : ''}`;
}

/** Without the request in front, which the reader has seen already. */
function reasonOf(error: unknown, headMs: number): string {
  const text = messageOf(error).replace(/^\w+ "[^"]*": /, '');
  const isLate = /Client\.Timeout|aborted|timed out/i.test(text);
  return isLate ? `does not answer within ${headMs / 1000} s` : text;
}

function aheadOf({ headers, url }: TransportResponse, latencyMs: number): number | undefined {
  const date = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(date) || isLoopback(splitHost(url.host).host)) return undefined;
  // The header is cut to the second.
  return date + 500 - (Date.now() - latencyMs / 2);
}
