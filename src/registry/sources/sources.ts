import { EngineError } from '../../errors/engine-error.ts';
import { DEFAULT_DOMAIN } from '../../oci/reference.ts';
import type { RegistryConfig, RegistrySettings, RegistrySource } from '../client/registry-client.ts';
import { type CertsDirectories, entryTls, type HostTls } from '../transport/certs-directories.ts';
import { isInsecureHost, splitHost } from './host-match.ts';
import type { HostCapability, HostEntry } from './hosts-file.ts';
import type { InsecureNames } from './insecure-names.ts';

const HUB_HOST = 'registry-1.docker.io';

/** How far one host is trusted, and with what; it ends where a redirect leads elsewhere. */
export interface HostTrust {
  /** `https://reg.lan:5000`. */
  origin: string;
  /** Any certificate will do. A function where that takes a look-up of its name. */
  insecure: boolean | (() => Promise<boolean>);
  /** Undefined: what certs.d has for the host. */
  tls: HostTls | undefined;
  /** Sent along with every request, in lower case; may be secrets. */
  headers: Readonly<Record<string, string>>;
}

/** A source with all that it takes to ask it. */
export interface Endpoint extends RegistrySource {
  /** Where the API begins: `https://reg.lan/v2`. */
  apiBase: string;
  /** It is the registry that the credentials are for. */
  isRegistry: boolean;
  capabilities: ReadonlySet<HostCapability>;
  /** What it says of a tag holds only as far as the registry doesn't say otherwise. */
  isChecked: boolean;
  /** Told to a mirror as `ns`, by which it knows whose image is meant. */
  namespace: string | undefined;
  dialTimeoutMs: number | undefined;
  trust: HostTrust;
  /** It is one to ask only if this says so: found out when its turn comes, since it takes a look-up of its name. */
  isOffered?: () => Promise<boolean>;
}

export interface SourceOptions {
  config: RegistryConfig;
  certs: CertsDirectories;
  names: InsecureNames;
  tlsVerify?: boolean | undefined;
}

const READING: ReadonlySet<HostCapability> = new Set(['pull', 'resolve', 'referrers']);
const EVERYTHING: ReadonlySet<HostCapability> = new Set(['pull', 'resolve', 'referrers', 'push']);

/**
 * Where a domain's images are asked for, in order: the mirrors of daemon.json, the hosts of its hosts.toml, then the registry itself over HTTPS and, if it is
 * insecure, over HTTP.
 *
 * @throws EngineError "invalid" where the domain, fine in a name, is no address (`localhost:99999`), or a hosts.toml or certificate is wrong.
 */
export async function sourcesOf(domain: string, options: SourceOptions): Promise<Endpoint[]> {
  const { config, certs } = options;
  const settings = settingsOf(domain, config);
  const file = await certs.hosts(domain);
  const configured = [...(domain === DEFAULT_DOMAIN ? config.mirrors : []), ...(settings?.mirrors ?? [])];
  const mirrors = configured
    .filter((mirror) => URL.canParse(mirror))
    .map((mirror) => mirrorEndpoint(mirror, { domain, config, settings }));
  const hosts = await Promise.all(
    (file?.hosts ?? []).map((entry) => entryEndpoint(entry, { domain, config, settings })),
  );
  const server = file?.server;
  const origins =
    server === undefined || server.url === ''
      ? await originEndpoints(domain, { ...options, server })
      : [await entryEndpoint(server, { domain, config, settings, isServer: true })];
  const seen = new Set<string>();
  return [...mirrors, ...hosts, ...origins].filter(({ apiBase }) => !seen.has(apiBase) && seen.add(apiBase));
}

/** Where pushes go: the registry itself, unless a hosts.toml says of another host that it takes pushes. @throws as `sourcesOf`. */
export async function pushTargetsOf(domain: string, options: SourceOptions): Promise<Endpoint[]> {
  const sources = await sourcesOf(domain, options);
  const targets = sources.filter(({ capabilities }) => capabilities.has('push'));
  const named = targets.find(({ mirror }) => mirror);
  if (named !== undefined) return [named];
  if (targets.length > 0) return targets;
  throw new EngineError(
    'invalid',
    `Cannot push to ${domain}: no host of its hosts.toml has the capability push`,
  );
}

/** The URL of `<rest>` below a source's API root. */
export function apiUrl(source: Endpoint, rest: string): URL {
  const url = new URL(`${source.apiBase}/${rest}`);
  if (source.namespace !== undefined) url.searchParams.set('ns', source.namespace);
  return url;
}

/** The host that a domain stands for. */
function hostOfDomain(domain: string): string {
  return domain === DEFAULT_DOMAIN ? HUB_HOST : domain;
}

function settingsOf(domain: string, { registries }: RegistryConfig): RegistrySettings | undefined {
  return Object.hasOwn(registries, domain) ? registries[domain] : undefined;
}

interface EndpointContext {
  domain: string;
  config: RegistryConfig;
  settings: RegistrySettings | undefined;
  isServer?: boolean;
}

/** Mirrors of Docker's own key are asked as Docker asks them: no `ns`, and their word on tags counts. */
function mirrorEndpoint(mirror: string, { domain, config, settings }: EndpointContext): Endpoint {
  const { protocol, host, pathname } = new URL(mirror);
  const baseUrl = `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
  const isDockers = config.mirrors.includes(mirror) && domain === DEFAULT_DOMAIN;
  return {
    baseUrl,
    mirror: true,
    apiBase: `${baseUrl}/v2`,
    isRegistry: host === hostOfDomain(domain),
    capabilities: READING,
    isChecked: settings?.tags === 'origin',
    namespace: isDockers || host === domain ? undefined : domain,
    dialTimeoutMs: undefined,
    trust: {
      origin: `${protocol}//${host}`,
      insecure: isInsecureHost(host, config.insecure),
      tls: undefined,
      headers: {},
    },
  };
}

async function entryEndpoint(
  entry: HostEntry,
  { domain, config, settings, isServer = false }: EndpointContext,
): Promise<Endpoint> {
  const { origin, host } = new URL(entry.url);
  const isRegistry = host === hostOfDomain(domain) || host === domain;
  return {
    baseUrl: entry.url,
    mirror: !isServer,
    apiBase: entry.apiBase,
    isRegistry,
    capabilities: entry.capabilities ?? (isServer || isRegistry ? EVERYTHING : READING),
    isChecked: !isServer && !isRegistry && entry.capabilities === undefined && settings?.tags !== 'mirror',
    namespace: isRegistry ? undefined : domain,
    dialTimeoutMs: entry.dialTimeoutMs,
    trust: {
      origin,
      insecure: entry.skipVerify ?? isInsecureHost(host, config.insecure),
      tls: await entryTls(entry),
      headers: entry.headers,
    },
  };
}

async function originEndpoints(
  domain: string,
  { config, certs, names, tlsVerify, server }: SourceOptions & { server: HostEntry | undefined },
): Promise<Endpoint[]> {
  const host = hostOfDomain(domain);
  const secureUrl = `https://${host}`;
  if (!URL.canParse(secureUrl))
    throw new EngineError('invalid', `Get "${secureUrl}/v2/": dial tcp: invalid address or port`);
  const declared =
    tlsVerify === false ||
    (server?.skipVerify ??
      (settingsOf(domain, config)?.insecure === true || isInsecureHost(host, config.insecure)));
  // Of docker.io dockerd doesn't wonder either.
  const mayBeByName = !declared && server?.skipVerify === undefined && domain !== DEFAULT_DOMAIN;
  const byName = () => names.has(host);
  const tls = (server === undefined ? undefined : await entryTls(server)) ?? (await certs.tls(domain));
  const endpoint = (baseUrl: string): Endpoint => ({
    baseUrl,
    mirror: false,
    apiBase: `${baseUrl}/v2`,
    isRegistry: true,
    capabilities: server?.capabilities ?? EVERYTHING,
    isChecked: false,
    namespace: undefined,
    dialTimeoutMs: server?.dialTimeoutMs,
    trust: {
      origin: new URL(baseUrl).origin,
      insecure: mayBeByName ? byName : declared,
      tls: emptyAsNone(tls),
      headers: server?.headers ?? {},
    },
  });
  const plain = endpoint(`http://${host}`);
  if (declared && splitHost(host).port === '80') return [plain];
  if (declared) return [endpoint(secureUrl), plain];
  return mayBeByName ? [endpoint(secureUrl), { ...plain, isOffered: byName }] : [endpoint(secureUrl)];
}

function emptyAsNone(tls: HostTls): HostTls | undefined {
  return Object.keys(tls).length === 0 ? undefined : tls;
}
