import { type Endpoint, parseEndpoint } from '../client/endpoint.ts';
import type { ByteStream, Transport } from '../client/transport.ts';
import { EngineError } from '../errors/engine-error.ts';
import { DEFAULT_CONTEXT, type StartConfig } from './start-config.ts';
import {
  type BunTlsOptions,
  bunTransport,
  dialEndpoint,
  type TransportOptions,
} from './transport/bun-transport.ts';

export const DEFAULT_HOST = 'unix:///run/sampan.sock';
const STOCK_SOCKET = '/var/run/docker.sock';

/** What the global flags and the environment say about the daemon. */
export interface HostChoice {
  /** The name that the program was called by. */
  program: string;
  configDirectory: string;
  config: StartConfig;
  /** `-H`, at most one. */
  hosts: readonly string[];
  context: string;
  tls: boolean;
  tlsVerify: boolean;
  /** Paths of PEM files. */
  tlsCaCert: string;
  tlsCert: string;
  tlsKey: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** The daemon that was chosen. */
export interface ChosenHost {
  endpoint: Endpoint;
  tls: BunTlsOptions | undefined;
  /** `default`: by `-H`, DOCKER_HOST, or our own socket. */
  context: string;
}

/**
 * The daemon to talk to: `--context` or `-H`, then DOCKER_HOST, then DOCKER_CONTEXT, then the context that `context use` has made current,
 * then our own socket.
 *
 * @throws EngineError "invalid" when the host can't be understood, "not-found" when there is no such context.
 */
export async function chooseHost(choice: HostChoice): Promise<ChosenHost> {
  if (choice.hosts.length > 1) throw new EngineError('invalid', 'Specify only one -H');
  const context = contextName(choice);
  if (context === DEFAULT_CONTEXT) {
    const endpoint = parseEndpoint(defaultHost(choice), { tls: wantsTls(choice) });
    return { endpoint, tls: await flagTls(endpoint, choice), context };
  }
  const { readContextEndpoint } = await import('../client/node/docker-context.ts');
  const { host, tls } = await readContextEndpoint(choice.configDirectory, context);
  const endpoint = parseEndpoint(host, { tls: tls !== undefined });
  return {
    endpoint,
    tls: endpoint.kind === 'tcp' && tls !== undefined ? { ...tls, verify: tls.verify !== false } : undefined,
    context,
  };
}

/** Where the default context leads. */
export function defaultHost({ hosts, env }: Pick<HostChoice, 'hosts' | 'env'>): string {
  return hosts[0] ?? (env.DOCKER_HOST || DEFAULT_HOST);
}

/** Which context is in use. @throws EngineError "invalid" when two things are said. */
export function contextName({
  context,
  hosts,
  env,
  config,
}: Pick<HostChoice, 'context' | 'hosts' | 'env' | 'config'>): string {
  if (context !== '' && hosts.length > 0)
    throw new EngineError('invalid', 'conflicting options: cannot specify both --host and --context');
  if (context !== '') return context;
  if (hosts.length > 0 || env.DOCKER_HOST) return DEFAULT_CONTEXT;
  return env.DOCKER_CONTEXT || config.currentContext || DEFAULT_CONTEXT;
}

function wantsTls(choice: HostChoice): boolean {
  return choice.tls || choice.tlsVerify;
}

async function flagTls(endpoint: Endpoint, choice: HostChoice): Promise<BunTlsOptions | undefined> {
  if (endpoint.kind !== 'tcp' || !wantsTls(choice)) return undefined;
  return {
    verify: choice.tlsVerify,
    ca: await readPem(choice.tlsCaCert),
    cert: await readPem(choice.tlsCert),
    key: await readPem(choice.tlsKey),
  };
}

/** For commands that speak to none. */
export const LOCAL_HOST: ChosenHost = {
  endpoint: { kind: 'unix', url: DEFAULT_HOST, path: DEFAULT_HOST.slice('unix://'.length) },
  tls: undefined,
  context: DEFAULT_CONTEXT,
};

type Caller = Pick<HostChoice, 'program' | 'configDirectory'>;

export async function openTransport(host: ChosenHost, caller: Caller): Promise<Transport> {
  return bunTransport(host.endpoint, await transportOptions(host, caller));
}

/** One connection, for who speaks for himself. Rejects with the system's error. */
export async function dialHost(host: ChosenHost, caller: Caller): Promise<ByteStream> {
  return await dialEndpoint(host.endpoint, await transportOptions(host, caller));
}

async function transportOptions(
  { endpoint, tls }: ChosenHost,
  { program, configDirectory }: Caller,
): Promise<TransportOptions> {
  if (endpoint.kind !== 'ssh') return { tls };
  const { sshFolder } = await import('./transport/ssh-folder.ts');
  const controlFolder = await sshFolder(configDirectory);
  return { ssh: { program: program === 'docker' ? 'docker' : 'sampan', controlFolder } };
}

async function readPem(path: string): Promise<string | undefined> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : undefined;
}

/** When our own socket isn't there but Docker's is, the user is told; it is never used in silence. */
export async function stockDaemonHint(endpoint: Endpoint): Promise<string> {
  if (endpoint.url !== DEFAULT_HOST) return '';
  const { access } = await import('node:fs/promises');
  const there = await access(STOCK_SOCKET).then(
    () => true,
    () => false,
  );
  if (!there) return '';
  return `A Docker daemon seems to listen at unix://${STOCK_SOCKET}: to use that one, set DOCKER_HOST or pass -H.`;
}
