import type { RegistryConfig } from '../client/registry-client.ts';
import { proxyFor } from './proxy-choice.ts';
import { SocksTunnel } from './socks-tunnel.ts';

/** What of fetch's own may be settled beside the way: TLS, body, headers. */
export interface OutgoingRequest
  extends Omit<BunFetchRequestInit, 'proxy' | 'unix' | 'redirect' | 'decompress'> {
  signal: AbortSignal;
}

/**
 * Bun's fetch by the way that the settings have for `url`; neither HTTP_PROXY nor NO_PROXY of the process has a say beside them. Redirects are answers, and
 * bodies come as they were sent.
 *
 * @throws as `proxyFor` and fetch; SocksError.
 */
export async function outgoingFetch(
  url: URL,
  proxies: RegistryConfig['proxy'],
  request: OutgoingRequest,
): Promise<Response> {
  const plain = { ...request, redirect: 'manual', decompress: false } as const;
  const choice = proxyFor(url, proxies);
  if (choice === undefined) return await fetch(url, { ...plain, proxy: false } as BunFetchRequestInit);
  if (choice.kind === 'http') {
    const proxy = { url: choice.url, respectNoProxy: false };
    return await fetch(url, { ...plain, proxy } as BunFetchRequestInit);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const tunnel = await SocksTunnel.open(choice.proxy, { host, port }, request.signal);
  try {
    // One that is kept would be taken for another host.
    const way = { unix: tunnel.path, keepalive: false, proxy: false };
    return await fetch(url, { ...plain, ...way } as BunFetchRequestInit);
  } finally {
    await tunnel.close();
  }
}
