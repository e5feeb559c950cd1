import { isIP } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';
import { parseByteSize } from '../../wire/byte-size.ts';
import type { ProxyOptions, RegistryOptions } from './start-registry.ts';
import { parseUpstream } from './upstream-address.ts';

/** For so long the tags of an upstream are believed. */
export const FRESH_MS = 5 * 60_000;

/**
 * The daemon's own registry, by its `embedded-registry…` keys. It listens on loopback alone, and takes pushes only from users of a password file.
 *
 * @throws EngineError "invalid"
 */
export function embeddedRegistry(text: (key: string) => string): RegistryOptions | undefined {
  const address = text('embedded-registry');
  const dependent = ['embedded-registry-htpasswd', 'embedded-registry-proxy'].find((key) => text(key) !== '');
  if (address === '') {
    if (dependent === undefined) return undefined;
    throw new EngineError('invalid', `${dependent} needs embedded-registry, the address to serve on`);
  }
  const htpasswd = text('embedded-registry-htpasswd');
  return {
    ...loopbackAddress(address),
    writable: htpasswd !== '',
    ...(htpasswd === '' ? {} : { htpasswd, anonymousRead: true }),
    proxy: proxyOptions({
      url: text('embedded-registry-proxy'),
      credentialsFile: text('embedded-registry-proxy-credentials'),
      maxSize: text('embedded-registry-max-size'),
    }),
  };
}

/** @throws EngineError "invalid" */
export function proxyOptions(given: {
  url: string;
  credentialsFile: string;
  maxSize: string;
}): ProxyOptions | undefined {
  const maxBytes = byteSize(given.maxSize);
  if (given.url === '') return undefined;
  return {
    upstream: parseUpstream(given.url),
    credentialsFile: given.credentialsFile === '' ? undefined : given.credentialsFile,
    maxBytes,
    freshMs: FRESH_MS,
  };
}

/** @throws EngineError "invalid" */
export function byteSize(text: string): number {
  const bytes = parseByteSize(text);
  if (typeof bytes === 'bigint' && bytes > 0n) return Number(bytes);
  throw new EngineError(
    'invalid',
    `invalid size ${JSON.stringify(text)}: expected a number above 0, like 10GB`,
  );
}

function loopbackAddress(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (isLoopback(bare) && Number(port) <= 65535) return { host: bare, port: Number(port) };
  throw new EngineError(
    'invalid',
    `invalid embedded-registry ${JSON.stringify(text)}: expected a loopback address with port, like 127.0.0.1:5050`,
    { hint: 'To serve other machines, run `sampan registry serve`.' },
  );
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
