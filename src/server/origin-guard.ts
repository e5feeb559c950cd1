import type { IncomingHttpHeaders } from 'node:http';
import { hostname } from 'node:os';
import { EngineError } from '../errors/engine-error.ts';

/**
 * Refuse what a web page could have sent to an unauthenticated TCP socket: anything with `Origin`, and anything under a host name that a page's
 * author could give our address to (DNS rebinding): one with a dot, but our own.
 *
 * @throws EngineError "forbidden".
 */
export function refuseBrowsers(headers: IncomingHttpHeaders): void {
  if (headers.origin !== undefined)
    throw new EngineError('forbidden', 'Cannot serve a browser: the request has an Origin header');
  const host = hostNameOf(headers.host ?? '');
  if (host.includes('.') && !isIpLiteral(host) && host !== hostname().toLowerCase())
    throw new EngineError(
      'forbidden',
      `Cannot serve host ${JSON.stringify(host)}: it is not a name of this engine`,
    );
}

function hostNameOf(header: string): string {
  return header.trim().toLowerCase().replace(/:\d*$/, '');
}

function isIpLiteral(host: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) || /^\[[0-9a-f:.]+\]$/.test(host);
}
