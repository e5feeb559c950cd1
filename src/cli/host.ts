import { type Endpoint, parseEndpoint } from '../client/endpoint.ts';
import type { Transport } from '../client/transport.ts';
import { EngineError } from '../errors/engine-error.ts';
import { type BunTlsOptions, bunTransport } from './transport/bun-transport.ts';

export const DEFAULT_HOST = 'unix:///run/sampan.sock';
const STOCK_SOCKET = '/var/run/docker.sock';

/** What the global flags and the environment say about the daemon. */
export interface HostChoice {
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

/**
 * The daemon to talk to: `-H`, then DOCKER_HOST, then our own socket.
 *
 * @throws EngineError "invalid" when the host can't be understood.
 */
export function chooseEndpoint(choice: HostChoice): Endpoint {
  if (choice.hosts.length > 1) throw new EngineError('invalid', 'Specify only one -H');
  if (choice.context !== '' && choice.hosts.length > 0)
    throw new EngineError('invalid', 'conflicting options: cannot specify both --host and --context');
  const context = choice.context || (choice.hosts.length > 0 ? '' : (choice.env.DOCKER_CONTEXT ?? ''));
  if (context !== '' && context !== 'default')
    throw new EngineError('not-found', `context ${JSON.stringify(context)}: context not found`, {
      hint: 'Only the context "default" is there: name the daemon with -H or DOCKER_HOST.',
    });
  const host = choice.hosts[0] ?? (choice.env.DOCKER_HOST || DEFAULT_HOST);
  return parseEndpoint(host, { tls: wantsTls(choice) });
}

function wantsTls(choice: HostChoice): boolean {
  return choice.tls || choice.tlsVerify;
}

/** The transport to `endpoint`; reads the certificates when TLS is asked for. */
export async function openTransport(endpoint: Endpoint, choice: HostChoice): Promise<Transport> {
  if (endpoint.kind === 'unix' || !wantsTls(choice)) return bunTransport(endpoint);
  const tls: BunTlsOptions = {
    verify: choice.tlsVerify,
    ca: await readPem(choice.tlsCaCert),
    cert: await readPem(choice.tlsCert),
    key: await readPem(choice.tlsKey),
  };
  return bunTransport(endpoint, { tls });
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
