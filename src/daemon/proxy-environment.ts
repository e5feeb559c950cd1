import type { RegistryConfig } from '../registry/registry-client.ts';

/** dockerd's names: each setting's, and the variables that stand in for it, upper case first as in Go. */
const NAMES = {
  http: ['http-proxy', 'HTTP_PROXY', 'http_proxy'],
  https: ['https-proxy', 'HTTPS_PROXY', 'https_proxy'],
  no: ['no-proxy', 'NO_PROXY', 'no_proxy'],
} as const;

/** The proxies that are set, by `given` (empty: not) or else by the environment. */
export function proxyOf(given: (key: string) => string = () => ''): RegistryConfig['proxy'] {
  const proxy: RegistryConfig['proxy'] = {};
  for (const name of ['http', 'https', 'no'] as const) {
    const [key, ...variables] = NAMES[name];
    const value = given(key) || variables.map((variable) => process.env[variable]).find(Boolean);
    if (value) proxy[name] = value;
  }
  return proxy;
}
