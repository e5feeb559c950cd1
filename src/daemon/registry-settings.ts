import { isIP } from 'node:net';
import { EngineError } from '../errors/engine-error.ts';
import { DEFAULT_DOMAIN, isDomain } from '../oci/reference.ts';
import type { RegistrySettings } from '../registry/client/registry-client.ts';

/** What is settled for one registry under `registries` of daemon.json. */
const REGISTRY_KEYS = ['mirrors', 'insecure', 'tags'];
const MAX_REGISTRIES = 1000;

/** A base URL without trailing slash. @throws EngineError "invalid", in dockerd's words. */
export function checkMirror(text: string): string {
  const problem = (reason: string) => new EngineError('invalid', `invalid mirror: ${reason}`);
  const shown = JSON.stringify(text);
  const choice = "must use either 'https://' or 'http://'";
  if (!/^[^:]+:\/\//.test(text)) throw problem(`no scheme specified for ${shown}: ${choice}`);
  const url = URL.parse(text);
  if (url === null) throw problem(`${shown} is not a valid URI`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw problem(
      `unsupported scheme ${JSON.stringify(url.protocol.replace(':', ''))} in ${shown}: ${choice}`,
    );
  if (url.search !== '' || url.hash !== '') throw problem(`query or fragment at end of the URI ${shown}`);
  if (url.username !== '' || url.password !== '')
    throw problem(
      `username/password not allowed in URI "${url.protocol}//${url.username}:xxxxx@${url.host}${url.pathname}"`,
    );
  return url.href.replace(/\/+$/, '');
}

/** A host, `host:port` or CIDR; a scheme in front is taken off, as by dockerd. @throws EngineError "invalid". */
export function checkInsecure(text: string): string {
  const entry = text.replace(/^https?:\/\//i, '');
  if (entry.includes('://'))
    throw new EngineError('invalid', `insecure registry ${text} should not contain '://'`);
  if (/^-|-$/.test(entry))
    throw new EngineError('invalid', `invalid index name (${text}). Cannot begin or end with a hyphen`);
  const [network = '', bits] = entry.split('/');
  const isCidr = isIP(network) !== 0 && /^\d{1,3}$/.test(bits ?? '');
  const [, host = entry, port] = /^(.*):(\d+)$/.exec(entry) ?? [];
  if (!isCidr && !isDomain(entry) && isIP(entry) === 0)
    throw new EngineError('invalid', `insecure registry ${text} is not valid: invalid host "${host}"`);
  if (!isCidr && isIP(entry) === 0 && Number(port ?? 0) > 65535)
    throw new EngineError('invalid', `insecure registry ${text} is not valid: invalid port "${port}"`);
  return entry;
}

/** @throws EngineError "invalid", naming registry and key. */
export function checkRegistries(value: unknown): Record<string, RegistrySettings> {
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  if (entries.length > MAX_REGISTRIES)
    throw new EngineError('invalid', `invalid registries: more than ${MAX_REGISTRIES}`);
  return Object.fromEntries(
    entries.map(([name, entry]) => [checkHost(name), checkEntry(entry, (reason) => refused(name, reason))]),
  );
}

function checkHost(name: string): string {
  const host = name === 'index.docker.io' || name === 'registry-1.docker.io' ? DEFAULT_DOMAIN : name;
  const port = /:(\d+)$/.exec(host)?.[1];
  if (isDomain(host) && Number(port ?? 0) <= 65535) return host;
  throw refused(name, 'expected a host, with its port where it has one');
}

function checkEntry(value: unknown, refuse: (reason: string) => EngineError): RegistrySettings {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('expected an object');
  const unknown = Object.keys(value).filter((key) => !REGISTRY_KEYS.includes(key));
  if (unknown.length > 0) throw refuse(`unknown key ${unknown.map((key) => JSON.stringify(key)).join(', ')}`);
  const { mirrors = [], insecure = false, tags = 'origin' } = value as Record<string, unknown>;
  if (!Array.isArray(mirrors) || !mirrors.every((mirror) => typeof mirror === 'string'))
    throw refuse('mirrors must be a list of strings');
  if (typeof insecure !== 'boolean') throw refuse('insecure must be true or false');
  if (tags !== 'origin' && tags !== 'mirror') throw refuse('tags must be "origin" or "mirror"');
  return { mirrors: [...new Set(mirrors.map(checkMirror))], insecure, tags };
}

function refused(name: string, reason: string): EngineError {
  return new EngineError('invalid', `invalid registries: ${JSON.stringify(name)}: ${reason}`);
}
