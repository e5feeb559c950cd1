import { isLoopback, splitHost } from '../sources/host-match.ts';
import { RegistryRefusal } from './refusal.ts';

export interface GuardedPlace {
  /** Where this request's client finds us; '' where that isn't known. */
  base: string;
  /** The host that we listen on, where that is loopback without TLS. */
  loopbackHost: string | undefined;
  publicUrl: string | undefined;
}

const MAX_SHOWN = 200;

/**
 * Refuse what a web page in somebody's browser could send here. Clients of registries send neither `Origin` nor `Sec-Fetch-Site`; where loopback is the only
 * protection, another name for it (DNS rebinding) would make any page one of ours. TLS needs no such check: a certificate doesn't hold for that name.
 *
 * @throws RegistryRefusal 403
 */
export function refuseWebPages(headers: Headers, place: GuardedPlace): void {
  const host = headers.get('host') ?? '';
  if (place.loopbackHost !== undefined && !isNameOfLoopback(host, place))
    throw new RegistryRefusal(
      403,
      'DENIED',
      `Cannot serve Host ${shown(host)}: a registry on loopback is found by 127.0.0.1, localhost or its public URL alone`,
    );
  if (isOfAnotherSite(headers, place.base))
    throw new RegistryRefusal(
      403,
      'DENIED',
      `Cannot serve a page of another site than Host ${shown(host)}: Origin ${shown(headers.get('origin') ?? '')}`,
    );
}

/** Without a host it is no browser's request. Ports don't count: one may be forwarded to another. */
function isNameOfLoopback(host: string, { loopbackHost, publicUrl }: GuardedPlace): boolean {
  const name = splitHost(host.toLowerCase()).host.replace(/\.$/, '');
  if (name === '' || isLoopback(name) || name.endsWith('.localhost')) return true;
  const publicName = publicUrl === undefined ? undefined : URL.parse(publicUrl)?.hostname;
  return name === loopbackHost?.toLowerCase() || name === publicName;
}

/** A browser that knows says it by `Sec-Fetch-Site`, which holds also where a proxy in front has changed the host. */
function isOfAnotherSite(headers: Headers, base: string): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'same-origin' && site !== 'none';
  const origin = headers.get('origin');
  if (origin === null) return false;
  const theirs = URL.parse(origin)?.host;
  return theirs === undefined || theirs !== URL.parse(base)?.host;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, MAX_SHOWN));
}
