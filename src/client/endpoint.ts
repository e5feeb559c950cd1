import { EngineError } from '../errors/engine-error.ts';

/** Where a daemon listens. */
export type Endpoint = UnixEndpoint | TcpEndpoint | SshEndpoint;

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

/** On a host that is reached by the `ssh` program, at the end of `docker system dial-stdio` there. */
export interface SshEndpoint {
  kind: 'ssh';
  url: string;
  hostname: string;
  /** As its configuration says, where undefined. */
  user: string | undefined;
  port: number | undefined;
  /** The daemon's socket there; undefined: its default. */
  path: string | undefined;
}

const DEFAULT_PORT = 2375;
const DEFAULT_TLS_PORT = 2376;

/**
 * Read a host as `-H` and DOCKER_HOST have it: `unix:///path`, `tcp://host:port`, `host:port`, `http(s)://host:port`, `ssh://user@host:port`.
 *
 * @throws EngineError "invalid" on another scheme.
 */
export function parseEndpoint(host: string, options: { tls?: boolean } = {}): Endpoint {
  const [, scheme = 'tcp', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(host) ?? [];
  if (scheme === 'unix') {
    if (rest === '') throw invalid(host);
    return { kind: 'unix', url: host, path: rest };
  }
  if (scheme === 'ssh') return parseSsh(host, rest);
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

/** `user@host:port/path`. @throws EngineError "invalid" in Docker's words; a password is never repeated. */
function parseSsh(url: string, rest: string): SshEndpoint {
  const refuse = (why: string) =>
    new EngineError('invalid', `ssh host connection is not valid: invalid SSH URL: ${why}`);
  const [, authority = '', path = '', query = '', fragment = ''] =
    /^([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(rest) ?? [];
  if (query.length > 1) throw refuse(`query parameters are not allowed: ${JSON.stringify(query.slice(1))}`);
  if (fragment.length > 1) throw refuse(`fragments are not allowed: ${JSON.stringify(fragment.slice(1))}`);
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  if (user?.includes(':')) throw refuse('plain-text password is not supported');
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(authority.slice(at + 1));
  const hostname = match?.[1] ?? match?.[2] ?? '';
  if (hostname === '') throw refuse('hostname is empty');
  // ssh would take them for options.
  for (const name of [hostname, user ?? ''])
    if (/^-|[\s\0]/.test(name)) throw refuse(`${JSON.stringify(name)} is no name of a host or user`);
  return {
    kind: 'ssh',
    url,
    hostname,
    user: user === '' ? undefined : user,
    port: match?.[3] === undefined ? undefined : Number(match[3]),
    path: path === '' || path === '/' ? undefined : path,
  };
}

function invalid(host: string): EngineError {
  return new EngineError(
    'invalid',
    `unable to resolve docker endpoint: invalid bind address format: ${host}`,
  );
}

/** The Host header for an endpoint; a Unix socket has none of its own. */
export function hostHeader(endpoint: Endpoint): string {
  if (endpoint.kind !== 'tcp') return 'api.moby.localhost';
  return endpoint.url.slice('tcp://'.length);
}
