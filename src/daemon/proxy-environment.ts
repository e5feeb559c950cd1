import type { RegistryConfig } from '../registry/client/registry-client.ts';

/** dockerd's names: each setting's, and the variables that stand in for it, upper case first as in Go, that for both last. */
const NAMES = {
  http: ['http-proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'],
  https: ['https-proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'],
  no: ['no-proxy', 'NO_PROXY', 'no_proxy'],
} as const;

/** The proxies that are set, by `given` (empty: not) or else by the environment. */
export function proxyOf(
  given: (key: string) => string = () => '',
  environment: Readonly<Record<string, string | undefined>> = process.env,
): RegistryConfig['proxy'] {
  const proxy: RegistryConfig['proxy'] = {};
  for (const name of ['http', 'https', 'no'] as const) {
    const [key, ...variables] = NAMES[name];
    const value = given(key) || variables.map((variable) => environment[variable]).find(Boolean);
    if (value) proxy[name] = value;
  }
  return proxy;
}

/** For whoever may ask: a proxy's user and password are not shown, whether it has a scheme or not. */
export function shownProxy(proxy: string | undefined): string {
  return (proxy ?? '').replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, '$1xxxxx:xxxxx@');
}
