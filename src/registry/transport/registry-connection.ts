import { setMaxListeners } from 'node:events';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import { familiarName, familiarRepository, type Reference } from '../../oci/reference.ts';
import { AuthorizedTransport } from '../auth/authorized-transport.ts';
import { TokenClient } from '../auth/token-client.ts';
import type { RegistryConfig, RegistryRequest, RegistrySource } from '../client/registry-client.ts';
import type { HostCapability } from '../sources/hosts-file.ts';
import { InsecureNames } from '../sources/insecure-names.ts';
import { SourceMemory } from '../sources/source-memory.ts';
import type { Walk } from '../sources/source-walk.ts';
import { apiUrl, type Endpoint, pushTargetsOf, sourcesOf } from '../sources/sources.ts';
import { CertsDirectories } from './certs-directories.ts';
import { defaultTiming, type RegistryTiming } from './timing.ts';
import { Transport, type TransportRequest, type TransportResponse } from './transport.ts';

export interface RegistryClientOptions {
  logger?: Logger;
  /** For tests: less patience. */
  timing?: Partial<RegistryTiming>;
}

/** One request to one source. */
export interface SourceRequest {
  method: TransportRequest['method'];
  /** Below the API root: `library/busybox/manifests/latest`; or whole, as from a Link of this source's. */
  path: string | URL;
  query?: Readonly<Record<string, string>>;
  headers?: Record<string, string>;
  /** `repository:library/busybox:pull`. */
  scopes: string[];
  headMs: number;
  options: RegistryRequest;
}

/** The way to registries, which all the clients of one configuration share: connections, tokens, and what was learned about sources. Nothing is written anywhere. */
export class RegistryConnection {
  readonly config: RegistryConfig;
  readonly logger: Logger;
  readonly timing: RegistryTiming;
  readonly certs: CertsDirectories;
  readonly names: InsecureNames;
  readonly memory: SourceMemory;
  readonly transport: AuthorizedTransport;
  /** For who brings credentials to be tried, which must not be answered from what is remembered. */
  readonly bare: { transport: Transport; tokens: TokenClient };

  constructor(config: RegistryConfig, options: RegistryClientOptions = {}) {
    this.config = config;
    this.logger = options.logger ?? silentLogger;
    const { attempts: blobAttempts = defaultTiming.blobAttempts } = config;
    this.timing = { ...defaultTiming, blobAttempts, ...options.timing };
    this.certs = new CertsDirectories(config.certsDirectories, this.timing.certsFreshMs);
    this.names = new InsecureNames(config.insecure);
    this.memory = new SourceMemory(this.timing.deadMirrorMs);
    const transport = new Transport(config, this.certs);
    const tokens = new TokenClient(transport, this.timing);
    this.bare = { transport, tokens };
    this.transport = new AuthorizedTransport(transport, tokens);
  }

  /** In today's order, those that may be asked for this. @throws as `sourcesOf`. */
  async sources(
    about: Pick<Reference, 'domain' | 'path'>,
    capability: HostCapability,
    options: RegistryRequest,
  ): Promise<Endpoint[]> {
    // One pull, many requests that listen to one signal.
    setMaxListeners(0, options.signal);
    const { config, certs, names, memory } = this;
    const find = capability === 'push' ? pushTargetsOf : sourcesOf;
    const sources = await find(about.domain, { config, certs, names, tlsVerify: options.tlsVerify });
    return memory.order(
      sources.filter(({ capabilities }) => capabilities.has(capability)),
      { preferred: options.source, repository: about.path },
    );
  }

  walk(about: Reference, sources: readonly Endpoint[], signal: AbortSignal): Walk {
    const { memory, logger, timing, config } = this;
    const bare = about.tag === undefined && about.digest === undefined;
    const name = bare ? familiarRepository(about) : familiarName(about);
    return { sources, name, repository: about.path, memory, logger, timing, proxy: config.proxy, signal };
  }

  /** @throws as `AuthorizedTransport.send`. */
  ask(source: Endpoint, request: SourceRequest): Promise<TransportResponse> {
    const url = request.path instanceof URL ? new URL(request.path) : apiUrl(source, request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
    return this.transport.send({
      method: request.method,
      url,
      headers: { 'accept-encoding': 'identity', ...request.headers },
      signal: request.options.signal,
      headMs: request.headMs,
      // What was given for the registry is no mirror's business.
      credentials: source.isRegistry ? request.options.credentials : undefined,
      scopes: request.scopes,
      trust: source.trust,
    });
  }

  /** Limits for reading a source's answer. */
  limits(source: RegistrySource, { signal }: RegistryRequest): { signal: AbortSignal; stallMs: number } {
    return { signal, stallMs: source.mirror ? this.timing.mirrorStallMs : this.timing.stallMs };
  }
}

/** Without what may not leave this room: certificates, headers. */
export function plainSource({ baseUrl, mirror }: RegistrySource): RegistrySource {
  return { baseUrl, mirror };
}
