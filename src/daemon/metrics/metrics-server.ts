import { createServer, type Server } from 'node:http';
import { EngineError, errnoCodeOf, messageOf } from '../../errors/engine-error.ts';

const MAX_CONNECTIONS = 16;
const PATIENCE_MS = 5000;
const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

/** Where metrics are served. Host '': all addresses, as in Go. */
export interface MetricsAddress {
  host: string;
  port: number;
}

/** `127.0.0.1:9323`, `[::1]:9323`, `:9323`. @throws EngineError "invalid" */
export function parseMetricsAddress(text: string): MetricsAddress {
  const [, bracketed, plain = '', digits = ''] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535)
    throw new EngineError('invalid', `invalid metrics-addr ${JSON.stringify(text)}`, {
      hint: 'Give an address and a port, such as 127.0.0.1:9323.',
    });
  return { host: bracketed ?? plain, port };
}

/** `GET /metrics` over HTTP, on one address and nothing else. Nothing is collected unless it is asked for. */
export class MetricsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws EngineError "conflict" when the address is taken, or isn't this machine's. */
  static async listen(address: MetricsAddress, text: () => Promise<string>): Promise<MetricsServer> {
    const server = createServer((request, response) => {
      request.resume();
      const [path] = (request.url ?? '').split('?');
      if (path !== '/metrics') return void response.writeHead(404).end('404 page not found\n');
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      text().then(
        (body) => response.writeHead(200, { 'Content-Type': TEXT_FORMAT }).end(body),
        (error: unknown) => response.writeHead(500).end(`Cannot collect metrics: ${messageOf(error)}\n`),
      );
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.headersTimeout = PATIENCE_MS;
    server.requestTimeout = PATIENCE_MS;
    const listening = Promise.withResolvers<void>();
    server.once('error', listening.reject);
    const { host, port } = address;
    server.listen({ port, ...(host === '' ? {} : { host }) }, listening.resolve);
    try {
      await listening.promise;
    } catch (error) {
      const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      const reason = errnoCodeOf(error) === 'EADDRINUSE' ? 'the address is in use' : messageOf(error);
      throw new EngineError('conflict', `Cannot serve metrics on ${where}: ${reason}`, {
        hint: 'Give another address with --metrics-addr.',
        cause: error,
      });
    }
    return new MetricsServer(server);
  }

  get port(): number {
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : 0;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await closed;
  }
}
