import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { DEFAULT_DOMAIN } from '../oci/reference.ts';
import { LoginClient } from '../registry/auth/login-client.ts';
import { CatalogClient } from '../registry/client/catalog-client.ts';
import { DistributionClient } from '../registry/client/distribution-client.ts';
import { DistributionPushClient } from '../registry/client/distribution-push-client.ts';
import type { RegistryConfig } from '../registry/client/registry-client.ts';
import { SearchClient } from '../registry/client/search-client.ts';
import { probeSource, type SourceProbe } from '../registry/sources/probe-source.ts';
import { sourcesOf } from '../registry/sources/sources.ts';
import { RegistryConnection } from '../registry/transport/registry-connection.ts';
import type { DaemonSettings } from './daemon-settings.ts';

/** In order: a host's folder in the first hides the one in the second. */
const CERTS_DIRECTORIES = ['/etc/sampan/certs.d', '/etc/docker/certs.d'];

/** What SIGHUP reads anew. */
export type RegistryDaemonSettings = Pick<
  DaemonSettings,
  'registryMirrors' | 'insecureRegistries' | 'registries' | 'maxDownloadAttempts'
>;

/** One registry that something is settled for, as `info` tells. */
export interface KnownRegistry {
  name: string;
  /** Base URLs in the order in which they are asked. */
  mirrors: string[];
  secure: boolean;
}

/** How those answer that a registry's images are asked of, in order. */
export interface ProbedRegistry {
  name: string;
  sources: SourceProbe[];
  /** Why it can't be asked at all: a hosts.toml that is wrong. */
  problem: string | undefined;
}

/** The registry clients of the present settings, over one connection each. */
export class RegistryAccess {
  readonly #logger: Logger;
  readonly #proxy: DaemonSettings['proxy'];
  #clients: Clients;

  constructor(settings: RegistryDaemonSettings & Pick<DaemonSettings, 'proxy'>, logger: Logger) {
    this.#logger = logger;
    this.#proxy = settings.proxy;
    this.#clients = this.#connect(settings);
  }

  client(): DistributionClient {
    return this.#clients.pull;
  }

  pushClient(): DistributionPushClient {
    return this.#clients.push;
  }

  catalog(): CatalogClient {
    return this.#clients.catalog;
  }

  search(): SearchClient {
    return this.#clients.search;
  }

  login(): LoginClient {
    return this.#clients.login;
  }

  config(): RegistryConfig {
    return this.#clients.connection.config;
  }

  /** Use other settings from now on; what is under way goes on with the old ones. */
  configure(settings: RegistryDaemonSettings): void {
    this.#clients = this.#connect(settings);
  }

  /** By daemon.json and by the hosts.toml files; and what is wrong with one of those. */
  async known(): Promise<{ registries: KnownRegistry[]; warnings: string[] }> {
    const { config, certs } = this.#clients.connection;
    const files = await certs.list();
    const warnings: string[] = [];
    const known = new Map<string, KnownRegistry>();
    const of = (name: string): KnownRegistry => {
      const entry = known.get(name) ?? { name, mirrors: [], secure: true };
      known.set(name, entry);
      return entry;
    };
    of(DEFAULT_DOMAIN).mirrors.push(...config.mirrors);
    for (const host of config.insecure) if (!host.includes('/')) of(host).secure = false;
    for (const [name, { mirrors, insecure }] of Object.entries(config.registries)) {
      of(name).mirrors.push(...mirrors);
      if (insecure) of(name).secure = false;
    }
    for (const { domain, file } of files)
      if (file instanceof EngineError) warnings.push(file.message);
      else of(domain).mirrors.push(...file.hosts.map(({ url }) => url));
    return { registries: [...known.values()], warnings };
  }

  /** Ask each of those that are settled, docker.io among them, and all at once. Never rejects but for `signal`. */
  async probe(options: { signal: AbortSignal; headMs: number }): Promise<ProbedRegistry[]> {
    const { registries } = await this.known();
    return await Promise.all(registries.map(({ name }) => this.#probe(name, options)));
  }

  async #probe(name: string, options: { signal: AbortSignal; headMs: number }): Promise<ProbedRegistry> {
    const { connection } = this.#clients;
    const { config, certs, names } = connection;
    try {
      const sources = await sourcesOf(name, { config, certs, names });
      const asked = sources.filter(
        ({ capabilities, isOffered }) => capabilities.has('pull') && isOffered === undefined,
      );
      const probes = await Promise.all(asked.map((source) => probeSource(connection, source, options)));
      return { name, sources: withoutSpare(probes), problem: undefined };
    } catch (error) {
      return { name, sources: [], problem: messageOf(error) };
    }
  }

  #connect(settings: RegistryDaemonSettings): Clients {
    const config: RegistryConfig = {
      mirrors: settings.registryMirrors,
      registries: settings.registries,
      insecure: settings.insecureRegistries,
      certsDirectories: CERTS_DIRECTORIES,
      userAgent: 'sampan',
      proxy: this.#proxy,
      attempts: settings.maxDownloadAttempts,
    };
    const connection = new RegistryConnection(config, { logger: this.#logger });
    return {
      connection,
      pull: new DistributionClient(connection),
      push: new DistributionPushClient(connection),
      catalog: new CatalogClient(connection),
      search: new SearchClient(connection),
      login: new LoginClient(connection),
    };
  }
}

/** An insecure registry is asked over HTTPS, then over HTTP: one of them will do. */
function withoutSpare(probes: readonly SourceProbe[]): SourceProbe[] {
  const origins = probes.filter(({ mirror }) => !mirror);
  const origin = origins.find(({ problem }) => problem === undefined) ?? origins[0];
  return [...probes.filter(({ mirror }) => mirror), ...(origin === undefined ? [] : [origin])];
}

interface Clients {
  connection: RegistryConnection;
  pull: DistributionClient;
  push: DistributionPushClient;
  catalog: CatalogClient;
  search: SearchClient;
  login: LoginClient;
}
