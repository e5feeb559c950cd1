import { homedir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { type Endpoint, parseEndpoint } from '../endpoint.ts';
import { readCertificates, readContextEndpoint } from '../node/docker-context.ts';
import type { TlsOptions } from '../node/node-transport.ts';

const DEFAULT_HOST = 'unix:///run/sampan.sock';

export interface EndpointOptions {
  /** `unix:///run/sampan.sock`, `tcp://10.0.0.1:2376`, `ssh://me@host`. */
  host?: string;
  /** One of Docker's contexts, by name. */
  context?: string;
  tls?: TlsOptions;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The daemon to talk to: what the caller says, then DOCKER_HOST, then DOCKER_CONTEXT, then Sampan's own socket. Docker's socket is used
 * when it is named, never in silence; so is a current context.
 *
 * @throws EngineError "invalid" for a host that is none, "not-found" for a context that isn't there.
 */
export async function chooseEndpoint(
  options: EndpointOptions,
  env: Environment,
): Promise<{ endpoint: Endpoint; tls: TlsOptions | undefined }> {
  if (options.host !== undefined && options.context !== undefined)
    throw new EngineError('invalid', 'conflicting options: cannot specify both host and context');
  const host = options.host ?? (options.context === undefined ? env['DOCKER_HOST'] : undefined);
  const context = options.context ?? env['DOCKER_CONTEXT'] ?? '';
  if (!host && context !== '' && context !== 'default') return await readContext(context, options, env);
  const tls = options.tls ?? (await environmentTls(env));
  return settle(host || DEFAULT_HOST, tls);
}

function settle(
  host: string,
  given: TlsOptions | undefined,
): { endpoint: Endpoint; tls: TlsOptions | undefined } {
  const tls = given ?? (host.startsWith('https://') ? {} : undefined);
  const endpoint = parseEndpoint(host, { tls: tls !== undefined });
  return { endpoint, tls: endpoint.kind === 'tcp' ? tls : undefined };
}

function configFolder(env: Environment): string {
  return env['DOCKER_CONFIG'] || join(homedir(), '.docker');
}

/** DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as Docker's client reads them. */
async function environmentTls(env: Environment): Promise<TlsOptions | undefined> {
  if (!env['DOCKER_TLS_VERIFY'] && !env['DOCKER_TLS']) return undefined;
  const folder = env['DOCKER_CERT_PATH'] || configFolder(env);
  return { ...(await readCertificates(folder)), verify: Boolean(env['DOCKER_TLS_VERIFY']) };
}

async function readContext(name: string, options: EndpointOptions, env: Environment) {
  const { host, tls } = await readContextEndpoint(configFolder(env), name);
  return settle(host, options.tls ?? tls);
}
