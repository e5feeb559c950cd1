import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { CatalogClient } from '../../registry/client/catalog-client.ts';
import { DistributionClient } from '../../registry/client/distribution-client.ts';
import type { RegistryConfig, RegistryCredentials } from '../../registry/client/registry-client.ts';
import type { AccessPolicy } from '../../registry/server/access.ts';
import type { BlobBackend, BlobKeeper } from '../../registry/server/blob-backend.ts';
import { FailureLimit } from '../../registry/server/failure-limit.ts';
import { HtpasswdAuthenticator } from '../../registry/server/htpasswd.ts';
import { BlobCache } from '../../registry/server/proxy/blob-cache.ts';
import { ProxyBackend } from '../../registry/server/proxy/proxy-backend.ts';
import { Upstream } from '../../registry/server/proxy/upstream.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import {
  type RegistryTls,
  type RunningRegistry,
  serveRegistry,
} from '../../registry/server/serve-registry.ts';
import { StoreBlobBackend } from '../../registry/server/store-blob-backend.ts';
import { TokenIssuer } from '../../registry/server/token-issuer.ts';
import { RegistryConnection } from '../../registry/transport/registry-connection.ts';
import type { RegistryRoot } from './registry-root.ts';

export interface RegistryOptions {
  host: string;
  port: number;
  /** Pushes and removals are taken. */
  writable: boolean;
  /** A file of users; undefined: nobody is asked. */
  htpasswd?: string | undefined;
  /** Reading takes no name. */
  anonymousRead?: boolean;
  /** Paths of PEM files. */
  tls?: { cert: string; key: string; clientCa?: string | undefined } | undefined;
  proxy?: ProxyOptions | undefined;
  publicUrl?: string | undefined;
  relativeUrls?: boolean;
  maxBlobBytes?: number | undefined;
}

export interface ProxyOptions {
  upstream: UpstreamAddress;
  /** A file that holds `user:password`. */
  credentialsFile?: string | undefined;
  maxBytes: number;
  freshMs: number;
  /** What was used within this time is being sent, most likely, and stays: 10 s by default. */
  minIdleMs?: number;
}

export interface UpstreamAddress {
  /** `docker.io`, `registry.example.com:5000`. */
  domain: string;
  /** '' or `team/`, in front of the names there. */
  prefix: string;
  /** It was given as `http://…`. */
  insecure: boolean;
}

export interface RegistryPorts {
  root: RegistryRoot;
  keeper: BlobKeeper;
  /** How the upstream is reached: proxies, certificates, insecure hosts. */
  client: RegistryConfig;
  logger: Logger;
}

const MIN_IDLE_MS = 10_000;

/**
 * Serve a registry's folder over HTTP.
 *
 * @throws EngineError "invalid" for files that can't be read, "conflict" for an address that is taken.
 */
export async function startRegistry(
  options: RegistryOptions,
  ports: RegistryPorts,
): Promise<RunningRegistry> {
  const { logger } = ports;
  const access = options.htpasswd === undefined ? undefined : await accessOf(options, logger);
  const tls = options.tls === undefined ? undefined : await readTls(options.tls);
  const selfAgent = `sampan (pull-through ${randomUUID()})`;
  const { backend, close } = await openBackend(options, ports, selfAgent);
  const handler = createRegistryHandler(backend, {
    logger,
    access,
    readOnly: !options.writable,
    selfAgent,
    secure: tls !== undefined,
    relativeUrls: options.relativeUrls ?? false,
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    ...(options.maxBlobBytes === undefined ? {} : { maxBlobBytes: options.maxBlobBytes }),
  });
  try {
    const running = serveRegistry(handler, { hostname: options.host, port: options.port, tls });
    return {
      ...running,
      close: async () => {
        await running.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw new EngineError(
      'conflict',
      `Cannot serve the registry on ${options.host}:${options.port}: ${messageOf(error)}`,
    );
  }
}

async function openBackend(
  options: RegistryOptions,
  { root, keeper, client, logger }: RegistryPorts,
  selfAgent: string,
): Promise<{ backend: BlobBackend; close: () => Promise<void> }> {
  const store = root.content;
  const pushed = new StoreBlobBackend({ store, index: root.pushed, keeper });
  if (options.proxy === undefined) return { backend: pushed, close: async () => undefined };
  const { upstream: address, credentialsFile, maxBytes, freshMs, minIdleMs } = options.proxy;
  const cache = await BlobCache.open({
    store,
    index: root.cached,
    keeper,
    pushed: () => root.pushed.digests(),
    maxBytes,
    minIdleMs: minIdleMs ?? MIN_IDLE_MS,
  });
  const credentials = credentialsFile === undefined ? undefined : await readCredentials(credentialsFile);
  const insecure = address.insecure ? [...client.insecure, address.domain] : client.insecure;
  // The daemon's mirrors are for the engine's pulls: this registry may be one of them. Those of hosts.toml stay, see `selfAgent`.
  const config = { ...client, mirrors: [], registries: {}, insecure, userAgent: selfAgent };
  const connection = new RegistryConnection(config, { logger });
  const upstream = new Upstream({
    client: new DistributionClient(connection),
    catalog: new CatalogClient(connection),
    domain: address.domain,
    prefix: address.prefix,
    credentials,
  });
  const backend = new ProxyBackend({
    store,
    keeper,
    pushed,
    index: root.cached,
    cache,
    upstream,
    freshMs,
    logger,
  });
  return { backend, close: () => backend.close() };
}

async function accessOf(options: RegistryOptions, logger: Logger): Promise<AccessPolicy> {
  return {
    authenticator: await HtpasswdAuthenticator.open(options.htpasswd ?? '', logger),
    failures: new FailureLimit(),
    anonymousRead: options.anonymousRead === true ? new TokenIssuer() : undefined,
  };
}

async function readTls(paths: NonNullable<RegistryOptions['tls']>): Promise<RegistryTls> {
  const [cert, key, clientCa] = await Promise.all([
    readText(paths.cert),
    readText(paths.key),
    paths.clientCa === undefined ? undefined : readText(paths.clientCa),
  ]);
  return { cert, key, clientCa };
}

/** @throws EngineError "invalid", without the file's content. */
async function readCredentials(path: string): Promise<RegistryCredentials> {
  const text = (await readText(path)).trim();
  const at = text.indexOf(':');
  if (at < 1 || text.includes('\n'))
    throw new EngineError('invalid', `Cannot read ${path}: it should hold one line, user:password`);
  return { username: text.slice(0, at), password: text.slice(at + 1) };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new EngineError('invalid', `Cannot read ${path}: ${messageOf(error)}`);
  }
}
