import { isLoopback, splitHost } from '../host-match.ts';
import { RegistryRefusal } from './refusal.ts';

const READ_METHODS = new Set(['GET', 'HEAD']);

/**
 * Refuse what comes of a page of somebody else's that a browser shows: a change that it asks for across sites, and, where the registry's `names` are known, a
 * request by a name that somebody has pointed here.
 *
 * @throws RegistryRefusal 403
 */
export function refuseStrangers({ method, headers }: Request, names: readonly string[] | undefined): void {
  const authority = headers.get('host') ?? '';
  if (names !== undefined && !isKnown(splitHost(authority).host.toLowerCase(), names))
    throw new RegistryRefusal(
      403,
      'DENIED',
      `this registry is not known as ${JSON.stringify(authority.slice(0, 255))}: ask for it by localhost, or start it with that name as its public URL`,
    );
  if (READ_METHODS.has(method)) return;
  const site = headers.get('sec-fetch-site') ?? 'none';
  const origin = headers.get('origin');
  const isOwn = origin === null || URL.parse(origin)?.host === authority.toLowerCase();
  if (!isOwn || !['none', 'same-origin'].includes(site))
    throw new RegistryRefusal(403, 'DENIED', 'this registry takes no requests of other sites');
}

function isKnown(host: string, names: readonly string[]): boolean {
  return isLoopback(host) || host.endsWith('.localhost') || names.includes(host);
}
