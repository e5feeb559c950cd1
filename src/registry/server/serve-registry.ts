import type { RegistryHandler } from './registry-handler.ts';

export interface RunningRegistry {
  /** `http://127.0.0.1:5000` */
  url: string;
  port: number;
  /** Stop listening; requests under way are cut. */
  close(): Promise<void>;
}

/**
 * Serve a registry over HTTP, on loopback unless told otherwise; port 0 takes a free one.
 *
 * @throws the system's error (`EADDRINUSE`).
 */
export function serveRegistry(
  handler: RegistryHandler,
  { hostname = '127.0.0.1', port = 0 }: { hostname?: string; port?: number } = {},
): RunningRegistry {
  const server = Bun.serve({
    hostname,
    port,
    fetch: handler,
    development: false,
    // Blobs have no natural limit; the handler knows its own.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: 120,
  });
  const bound = server.port ?? port;
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return {
    url: `http://${host}:${bound}`,
    port: bound,
    close: async () => {
      await handler.close();
      await server.stop(true);
    },
  };
}
