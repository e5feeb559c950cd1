import type { CliContext } from './context.ts';

const VARIABLES = {
  httpProxy: 'HTTP_PROXY',
  httpsProxy: 'HTTPS_PROXY',
  noProxy: 'NO_PROXY',
  ftpProxy: 'FTP_PROXY',
  allProxy: 'ALL_PROXY',
};

/**
 * What `proxies` of config.json adds to the environment of containers, and to the arguments of builds: what is for this daemon, else the
 * default, in capitals and in small letters.
 *
 * @param given names that the user has set, which are left alone.
 */
export function proxyVariables(
  { config, endpoint }: Pick<CliContext, 'config' | 'endpoint'>,
  given: Iterable<string>,
): [name: string, value: string][] {
  const proxies = config.proxies ?? {};
  const proxy = proxies[endpoint] ?? proxies['default'] ?? {};
  const names = new Set(given);
  return Object.entries(VARIABLES)
    .flatMap(([key, name]) =>
      [name, name.toLowerCase()].map((one): [string, string] => [one, proxy[key] ?? '']),
    )
    .filter(([name, value]) => value !== '' && !names.has(name));
}
