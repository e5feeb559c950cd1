import { EngineError } from '../../errors/engine-error.ts';
import { isLoopback } from '../sources/host-match.ts';
import type { RegistryHandler } from './registry-handler.ts';

export interface RunningRegistry {
  /** `http://127.0.0.1:5000` */
  url: string;
  port: number;
  /** Stop listening; requests under way are cut. */
  close(): Promise<void>;
}

/** PEM texts. */
export interface RegistryTls {
  cert: string;
  key: string;
  /** Only clients with a certificate of these authorities get in. */
  clientCa?: string | undefined;
}

export interface ServeOptions {
  hostname?: string;
  port?: number;
  tls?: RegistryTls | undefined;
}

const WILDCARDS = new Set(['0.0.0.0', '::']);

/**
 * Serve a registry over HTTP or HTTPS, on loopback unless told otherwise; port 0 takes a free one.
 *
 * @throws the system's error (`EADDRINUSE`).
 */
export function serveRegistry(
  handler: RegistryHandler,
  { hostname = '127.0.0.1', port = 0, tls }: ServeOptions = {},
): RunningRegistry {
  const server = Bun.serve({
    hostname,
    port,
    fetch: (request, self) => {
      const address = self.requestIP(request)?.address ?? '';
      const loopbackHost = tls === undefined && cameByLoopback(hostname, address) ? hostname : undefined;
      return handler(request, { address, loopbackHost });
    },
    development: false,
    // Blobs have no natural limit; the handler knows its own.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: 120,
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
  });
  const bound = server.port ?? port;
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${bound}`,
    port: bound,
    close: async () => {
      await handler.close();
      await server.stop(true);
    },
  };
}

/** A host may be a name: where its clients are on loopback, so is it. */
function cameByLoopback(hostname: string, client: string): boolean {
  return !WILDCARDS.has(hostname) && isLoopback(client.replace(/^::ffff:/, ''));
}

function tlsOptions({ cert, key, clientCa }: RegistryTls): Bun.TLSOptions {
  if (clientCa === undefined) return { cert, key };
  if (clientCa.trim() === '') throw new EngineError('invalid', 'the file of client authorities is empty');
  return { cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}
