import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { type Endpoint, parseEndpoint } from '../endpoint.ts';
import type { TlsOptions } from '../node/node-transport.ts';

const DEFAULT_HOST = 'unix:///run/sampan.sock';

export interface EndpointOptions {
  /** `unix:///run/sampan.sock`, `tcp://10.0.0.1:2376`. */
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
  return { endpoint, tls: endpoint.kind === 'unix' ? undefined : tls };
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

async function readCertificates(folder: string): Promise<TlsOptions> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readIfThere(join(folder, name))),
  );
  return { ca, cert, key };
}

async function readContext(name: string, options: EndpointOptions, env: Environment) {
  const folder = join(configFolder(env), 'contexts');
  const id = createHash('sha256').update(name).digest('hex');
  const text = await readIfThere(join(folder, 'meta', id, 'meta.json'));
  if (text === undefined)
    throw new EngineError('not-found', `context ${JSON.stringify(name)}: context not found`);
  const docker = dockerEndpoint(name, text);
  const tls = options.tls ?? (await readCertificates(join(folder, 'tls', id, 'docker')));
  const wanted =
    options.tls !== undefined || tls.ca !== undefined || tls.cert !== undefined || docker.skipVerify;
  return settle(docker.host, wanted ? { ...tls, verify: tls.verify ?? !docker.skipVerify } : undefined);
}

function dockerEndpoint(name: string, text: string): { host: string; skipVerify: boolean } {
  let meta: { Endpoints?: { docker?: { Host?: unknown; SkipTLSVerify?: unknown } } } | null;
  try {
    meta = JSON.parse(text) as typeof meta;
  } catch (cause) {
    throw new EngineError('invalid', `Cannot read context ${JSON.stringify(name)}: it is no JSON`, { cause });
  }
  const docker = meta?.Endpoints?.docker;
  if (typeof docker?.Host !== 'string' || docker.Host === '')
    throw new EngineError('invalid', `Context ${JSON.stringify(name)} names no Docker host`);
  return { host: docker.Host, skipVerify: docker.SkipTLSVerify === true };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
