import type { Duplex } from 'node:stream';
import type { BuildkitBackend, BuildkitEndpoint } from '../buildkit/buildkit-endpoint.ts';
import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';

/** BuildKit's protocol, loaded with the first client that speaks it: it is a quarter of what the daemon holds at rest. */
export class LazyBuildkit implements BuildkitBackend {
  readonly #load: () => Promise<BuildkitEndpoint>;
  readonly #logger: Logger;
  #endpoint: Promise<BuildkitEndpoint> | undefined;
  #closed = false;

  constructor(load: () => Promise<BuildkitEndpoint>, logger: Logger) {
    this.#load = load;
    this.#logger = logger;
  }

  async build(...request: Parameters<BuildkitBackend['build']>): Promise<Record<string, string>> {
    return await (await this.#open()).build(...request);
  }

  /** What the client says meanwhile waits in its socket. */
  acceptCalls(socket: Duplex): void {
    const lost = () => socket.destroy();
    socket.on('error', lost);
    this.#open().then(
      (endpoint) => {
        socket.off('error', lost);
        if (this.#closed || socket.destroyed) socket.destroy();
        else endpoint.acceptCalls(socket);
      },
      (error: unknown) => {
        this.#logger.error("Cannot load BuildKit's protocol", { error: messageOf(error) });
        socket.destroy();
      },
    );
  }

  async acceptSession(...session: Parameters<BuildkitBackend['acceptSession']>): Promise<void> {
    const [socket] = session;
    const lost = () => socket.destroy();
    socket.on('error', lost);
    const endpoint = await this.#open();
    socket.off('error', lost);
    await endpoint.acceptSession(...session);
  }

  /** Part with every client; their builds end. */
  async close(): Promise<void> {
    this.#closed = true;
    const endpoint = await this.#endpoint?.catch(() => undefined);
    endpoint?.close();
  }

  #open(): Promise<BuildkitEndpoint> {
    this.#endpoint ??= this.#load();
    return this.#endpoint;
  }
}
