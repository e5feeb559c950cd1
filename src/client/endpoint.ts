import { EngineError } from '../errors/engine-error.ts';

/** Where a daemon listens. */
export type Endpoint = UnixEndpoint | TcpEndpoint;

export interface UnixEndpoint {
  kind: 'unix';
  url: string;
  path: string;
}

export interface TcpEndpoint {
  kind: 'tcp';
  url: string;
  hostname: string;
  port: number;
}

const DEFAULT_PORT = 2375;
const DEFAULT_TLS_PORT = 2376;

/**
 * Read a host as `-H` and DOCKER_HOST have it: `unix:///path`, `tcp://host:port`, `host:port`, `http(s)://host:port`.
 *
 * @throws EngineError "invalid" on another scheme.
 */
export function parseEndpoint(host: string, options: { tls?: boolean } = {}): Endpoint {
  const [, scheme = 'tcp', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(host) ?? [];
  if (scheme === 'unix') {
    if (rest === '') throw invalid(host);
    return { kind: 'unix', url: host, path: rest };
  }
  if (scheme !== 'tcp' && scheme !== 'http' && scheme !== 'https') throw invalid(host);
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:/[\]]*))(?::(\d{1,5}))?\/?$/.exec(rest);
  if (match === null) throw invalid(host);
  const tls = options.tls === true || scheme === 'https';
  const port = match[3] === undefined ? (tls ? DEFAULT_TLS_PORT : DEFAULT_PORT) : Number(match[3]);
  if (port > 65535) throw invalid(host);
  const hostname = match[1] ?? (match[2] || '127.0.0.1');
  const shown = hostname.includes(':') ? `[${hostname}]` : hostname;
  return { kind: 'tcp', url: `tcp://${shown}:${port}`, hostname, port };
}

function invalid(host: string): EngineError {
  return new EngineError(
    'invalid',
    `unable to resolve docker endpoint: invalid bind address format: ${host}`,
  );
}

/** The Host header for an endpoint; a Unix socket has none of its own. */
export function hostHeader(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return 'api.moby.localhost';
  return endpoint.url.slice('tcp://'.length);
}
