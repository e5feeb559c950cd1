import { EngineError } from '../../errors/engine-error.ts';
import type { RegistryConfig } from '../client/registry-client.ts';
import { bypassesProxy } from '../sources/host-match.ts';
import { type SocksProxy, socksProxyOf } from './socks-connect.ts';

/** How a request gets out: directly (undefined), by an HTTP proxy, or by a SOCKS one. */
export type ProxyChoice = { kind: 'http'; url: string } | { kind: 'socks'; proxy: SocksProxy } | undefined;

/**
 * Which proxy the settings have for `url`, by Go's rules.
 *
 * @throws EngineError "invalid" for one that can't be used. Nothing of its URL is told: it may hold a password.
 */
export function proxyFor(url: URL, { http, https, no }: RegistryConfig['proxy']): ProxyChoice {
  const proxy = url.protocol === 'https:' ? https : http;
  if (proxy === undefined || proxy === '' || bypassesProxy(url, no)) return undefined;
  // As Go: `proxy.lan:3128` is an HTTP proxy.
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  const parsed = URL.parse(whole);
  const refused = (reason: string): EngineError =>
    new EngineError('invalid', `Invalid proxy for ${url.protocol}// requests: ${reason}`);
  switch (parsed?.protocol) {
    case undefined:
      throw refused('it is no URL');
    case 'http:':
    case 'https:':
      return { kind: 'http', url: whole };
    case 'socks5:':
    case 'socks5h:': {
      const socks = socksProxyOf(parsed as URL);
      if (typeof socks === 'string') throw refused(socks);
      return { kind: 'socks', proxy: socks };
    }
    default:
      throw refused(`its scheme ${parsed?.protocol}// is not supported`);
  }
}
