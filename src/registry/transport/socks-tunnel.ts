import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SocksProxy, type SocksTarget, socksConnect } from './socks-connect.ts';

/**
 * The way of one request of fetch's, which speaks to HTTP proxies alone: a socket in a folder that is only ours, and behind it a connection through the SOCKS
 * proxy. TLS is between fetch and the target, whose name fetch verifies.
 */
export class SocksTunnel {
  /** For fetch's `unix`. */
  readonly path: string;
  readonly #directory: string;
  readonly #server: Server;
  /** Until somebody is connected to it. */
  #upstream: Socket | undefined;

  private constructor(directory: string, upstream: Socket) {
    this.#directory = directory;
    this.path = join(directory, 'tunnel');
    this.#upstream = upstream;
    this.#server = createServer((client) => {
      const behind = this.#upstream;
      this.#upstream = undefined;
      if (behind === undefined) client.destroy();
      else bind(client, behind);
    });
  }

  /** @throws as `socksConnect`. */
  static async open(proxy: SocksProxy, target: SocksTarget, signal: AbortSignal): Promise<SocksTunnel> {
    const upstream = await socksConnect(proxy, target, signal);
    let tunnel: SocksTunnel | undefined;
    try {
      tunnel = new SocksTunnel(await mkdtemp(join(tmpdir(), 'sampan-socks-')), upstream);
      await tunnel.#listen();
      return tunnel;
    } catch (error) {
      upstream.destroy();
      await tunnel?.close();
      throw error;
    }
  }

  /** Nobody else may connect. A connection that there is goes on until one of its ends closes. */
  async close(): Promise<void> {
    this.#server.close();
    this.#upstream?.destroy();
    this.#upstream = undefined;
    await rm(this.#directory, { recursive: true, force: true });
  }

  #listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(this.path, resolve);
    return promise;
  }
}

/** What one says the other hears; with one of them the other ends. */
function bind(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
}
