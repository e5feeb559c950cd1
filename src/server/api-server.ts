import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { LogFields } from '../errors/logger.ts';
import { API_VERSION, checkApiVersion, compareApiVersions, MIN_API_VERSION } from '../wire/versions.ts';
import { type ApiRequest, parseTarget } from './api-request.ts';
import { ApiResponse } from './api-response.ts';
import type { ListenAddress } from './listen-address.ts';
import { type BoundListener, listen } from './listener.ts';
import { refuseBrowsers } from './origin-guard.ts';
import { httpPort, type ResponsePort, socketPort } from './response-port.ts';
import { clientGone } from './response-stream.ts';
import { type Handler, Router, splitVersion } from './router.ts';
import { buildRoutes } from './routes/build.ts';
import { buildkitRoutes } from './routes/buildkit.ts';
import { containerArchiveRoutes } from './routes/container-archive.ts';
import { containerFileRoutes } from './routes/container-files.ts';
import { containerStatsRoute } from './routes/container-stats.ts';
import { containerStreamRoutes } from './routes/container-streams.ts';
import { containerRoutes } from './routes/containers.ts';
import { copyImageRoutes } from './routes/copy-image.ts';
import { diskUsageRoute } from './routes/disk-usage.ts';
import { emptyRoutes } from './routes/empty.ts';
import { execRoutes } from './routes/exec.ts';
import { exploreImageRoutes } from './routes/explore-images.ts';
import { imageRoutes } from './routes/images.ts';
import { lifelineRoutes } from './routes/lifelines.ts';
import { moveImageRoutes } from './routes/move-images.ts';
import { networkRoutes } from './routes/networks.ts';
import { registryRoutes } from './routes/registry.ts';
import { systemRoutes } from './routes/system.ts';
import { unbuiltRoutes } from './routes/unbuilt.ts';
import { volumeContentRoutes } from './routes/volume-content.ts';
import { volumeRoutes } from './routes/volumes.ts';
import type { ApiCall, Backends, ServerOptions } from './server-options.ts';
import { SocketFront } from './socket-front.ts';
import { socketBody } from './socket-input.ts';

/**
 * The Docker Engine API over the engine's backends. It listens on any number of sockets; answers speak the newest API model, down to 1.24.
 */
export class ApiServer {
  readonly #router: Router;
  readonly #options: ServerOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #front: SocketFront;
  readonly #listeners: BoundListener[] = [];
  readonly #clients = new Set<AbortController>();
  readonly #active = new Set<Promise<unknown>>();
  #closed = false;

  constructor(backends: Backends, options: ServerOptions) {
    this.#options = options;
    this.#router = new Router([
      ...systemRoutes(backends, options.build),
      ...buildkitRoutes(backends),
      ...containerStreamRoutes(backends),
      ...emptyRoutes(),
      ...unbuiltRoutes(),
      ...containerArchiveRoutes(backends),
      ...containerFileRoutes(backends),
      containerStatsRoute(backends),
      ...containerRoutes(backends),
      ...execRoutes(backends),
      ...copyImageRoutes(backends),
      diskUsageRoute(backends),
      ...registryRoutes(backends),
      ...buildRoutes(backends),
      ...moveImageRoutes(backends),
      ...exploreImageRoutes(backends),
      ...imageRoutes(backends),
      ...lifelineRoutes(backends),
      ...networkRoutes(backends),
      ...volumeContentRoutes(backends),
      ...volumeRoutes(backends),
    ]);
    this.#headers = {
      'Api-Version': API_VERSION,
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: `Sampan/${options.build.version} (linux)`,
    };
    this.#front = new SocketFront({
      request: (message, response) => this.#serveHttp(message, response),
      upgrade: (message, socket) => this.#serveSocket(message, socket),
      http2: (socket) => backends.buildkit.acceptCalls(socket),
    });
  }

  /**
   * Listen on one more address.
   *
   * @returns where it listens; for `tcp://…:0` with the port that it got.
   * @throws EngineError "invalid" for an address that may not be used, "conflict" when it is taken.
   */
  async listen(address: ListenAddress): Promise<string> {
    const bound = await listen(address, {
      accept: (socket, kind) => this.#front.accept(socket, kind),
      maxConnections: this.#options.maxConnections,
    });
    this.#listeners.push(...bound);
    return bound.map(({ url }) => url).join(', ');
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#front.connections;
  }

  /** Take no more connections, end the streams, let what runs answer for up to `graceMs`, then cut the rest. */
  async close(graceMs = 5000): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
    this.#closed = true;
    for (const client of this.#clients) client.abort(shuttingDown());
    this.#front.closeIdle();
    const timer = Promise.withResolvers<void>();
    const handle = setTimeout(timer.resolve, graceMs);
    await Promise.race([Promise.allSettled(this.#active), timer.promise]);
    clearTimeout(handle);
    this.#front.destroyAll();
  }

  #serveHttp(message: IncomingMessage, response: ServerResponse): void {
    const client = this.#newClient();
    const sent = Promise.withResolvers<void>();
    response.once('close', () => {
      if (!response.writableFinished) client.abort(clientGone());
      this.#clients.delete(client);
      sent.resolve();
    });
    // A handler that stops reading must not take the connection with it.
    const body = message.iterator({ destroyOnReturn: false });
    const served = this.#serve(message, httpPort(response), { body, client: client.signal });
    this.#track(Promise.all([served, sent.promise]));
  }

  #serveSocket(message: IncomingMessage, socket: Duplex): void {
    const client = this.#newClient();
    socket.once('close', () => {
      client.abort(clientGone());
      this.#clients.delete(client);
    });
    const body = socketBody(socket, contentLength(message));
    const port = socketPort(socket, message.headers.upgrade);
    this.#track(this.#serve(message, port, { body, client: client.signal }));
  }

  /** One per answer under way; aborted when its client is gone or the server closes. */
  #newClient(): AbortController {
    const client = new AbortController();
    this.#clients.add(client);
    if (this.#closed) client.abort(shuttingDown());
    return client;
  }

  #track(work: Promise<unknown>): void {
    this.#active.add(work);
    void work.finally(() => this.#active.delete(work));
  }

  async #serve(
    message: IncomingMessage,
    port: ResponsePort,
    source: { body: AsyncIterable<Uint8Array>; client: AbortSignal },
  ): Promise<void> {
    const response = new ApiResponse(port, this.#headers);
    try {
      const target = parseTarget(message);
      if (target === undefined) throw pageNotFound();
      if (this.#front.kindOf(message.socket).guarded) refuseBrowsers(message.headers);
      if (target.badEscape !== undefined)
        throw new EngineError('invalid', `invalid URL escape ${JSON.stringify(target.badEscape)}`);
      if (message.method === 'OPTIONS') {
        response.empty(200);
        return;
      }
      if (target.cleaned !== undefined) {
        response.header('Location', target.cleaned);
        response.empty(301);
        return;
      }
      const { version = API_VERSION, path } = splitVersion(target.path);
      this.#options.logger.debug('Calling', { method: message.method, path: target.path });
      const { handler, pattern, params } = this.#route(message.method ?? 'GET', path, version);
      const request: ApiRequest = {
        method: message.method ?? 'GET',
        params,
        query: target.query,
        headers: message.headers,
        version,
        body: source.body,
        signal: source.client,
      };
      await this.#observed({ method: request.method, pattern }, async () => handler(request, response));
    } catch (error) {
      this.#fail(message, response, { error, client: source.client });
    }
  }

  async #observed(route: Pick<ApiCall, 'method' | 'pattern'>, work: () => Promise<void>): Promise<void> {
    const { observe } = this.#options;
    if (observe === undefined) return await work();
    const startMs = performance.now();
    const told = (failed: boolean): void =>
      observe({ ...route, failed, seconds: (performance.now() - startMs) / 1000 });
    try {
      await work();
    } catch (error) {
      told(true);
      throw error;
    }
    told(false);
  }

  #route(
    method: string,
    path: string,
    version: string,
  ): { handler: Handler; pattern: string; params: string[] } {
    const found = this.#router.find(method, path);
    if (found === undefined) throw pageNotFound();
    checkApiVersion(version);
    return found;
  }

  #fail(
    message: IncomingMessage,
    response: ApiResponse,
    { error, client }: { error: unknown; client: AbortSignal },
  ): void {
    const path = message.url?.split('?', 1)[0] ?? '';
    if (kindOf(error) === 'internal') this.#report(error, { method: message.method, path }, client);
    const { version } = splitVersion(path);
    // Clients below 1.24 read errors as plain text.
    if (version !== undefined && compareApiVersions(version, MIN_API_VERSION) < 0 && !response.started)
      response.text(400, `${messageOf(error)}\n`);
    else response.error(error);
  }

  #report(error: unknown, request: LogFields, client: AbortSignal): void {
    const { logger } = this.#options;
    // Answered with 500 as dockerd does, but it is the registry that said no.
    if (error instanceof EngineError && error.code === 'registry-denied')
      return logger.info('refused by the registry', { ...request, reason: error.message });
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    // Whose client has left may fail in any way it likes.
    if (client.aborted) logger.debug('request abandoned', { ...request, error: stack });
    else logger.error('request failed', { ...request, error: stack });
  }
}

function contentLength({ headers }: IncomingMessage): number {
  const text = headers['content-length'] ?? '0';
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

function pageNotFound(): EngineError {
  return new EngineError('not-found', 'page not found');
}

function shuttingDown(): EngineError {
  return new EngineError('unavailable', 'the engine is shutting down');
}
