import { connect, createServer, type Server, type Socket } from 'node:net';

/** What becomes of a client, as the daemon sees it. */
export type Manner = 'stops reading' | 'half-closes' | 'vanishes';

/** Stands between clients and a daemon's socket, and can make clients of good manners behave badly. */
export class RudeProxy {
  readonly path: string;
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; daemon: Socket }>();
  #isStopped = false;

  private constructor(path: string, daemonPath: string) {
    this.path = path;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client, daemonPath));
  }

  static async listen(path: string, daemonPath: string): Promise<RudeProxy> {
    const proxy = new RudeProxy(path, daemonPath);
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    return proxy;
  }

  /** All connections that are open. */
  behave(manner: Manner): void {
    for (const { client, daemon } of this.#pairs) {
      if (manner === 'vanishes') daemon.destroy();
      else if (manner === 'half-closes') {
        client.pause();
        daemon.end();
      } else daemon.pause();
    }
    this.#isStopped = manner === 'stops reading';
  }

  /** Read on, where that was stopped. */
  resume(): void {
    this.#isStopped = false;
    for (const { daemon } of this.#pairs) daemon.resume();
  }

  close(): void {
    for (const { client, daemon } of this.#pairs) {
      client.destroy();
      daemon.destroy();
    }
    this.#server.close();
  }

  #join(client: Socket, daemonPath: string): void {
    const daemon = connect({ path: daemonPath, allowHalfOpen: true });
    const pair = { client, daemon };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      from.on('data', (data) => {
        if (to.writable && !to.write(data)) from.pause();
      });
      to.on('drain', () => {
        if (!(this.#isStopped && from === daemon)) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
