import { type Endpoint, hostHeader, type SshEndpoint } from '../../client/endpoint.ts';
import { ByteQueue } from '../../client/http1/byte-queue.ts';
import { Http1Transport } from '../../client/http1/http1-transport.ts';
import type { SshOptions } from '../../client/node/ssh-stream.ts';
import type { ByteStream, Transport } from '../../client/transport.ts';

/** PEM texts; see `client/node`. */
export interface BunTlsOptions {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  verify: boolean;
}

/** A transport on `Bun.connect`: nothing of Node's API is loaded for it, which halves the time to the first byte. */
export function bunTransport(endpoint: Endpoint, options: TransportOptions = {}): Transport {
  return new Http1Transport({
    endpoint: endpoint.url,
    dial: () => dialEndpoint(endpoint, options),
    host: hostHeader(endpoint),
  });
}

/** One connection. Rejects with the system's error. */
export function dialEndpoint(endpoint: Endpoint, { tls, ssh }: TransportOptions): Promise<ByteStream> {
  return endpoint.kind === 'ssh' ? dialSsh(endpoint, ssh) : dial(endpoint, tls);
}

export interface TransportOptions {
  tls?: BunTlsOptions | undefined;
  ssh?: SshOptions;
}

interface Connection {
  queue: ByteQueue;
  /** Wakes the writer that waits for room. */
  drained: (() => void) | undefined;
  closed: boolean;
}

async function dialSsh(endpoint: SshEndpoint, options: SshOptions | undefined): Promise<ByteStream> {
  const { openSsh } = await import('../../client/node/ssh-stream.ts');
  return await openSsh(endpoint, options);
}

async function dial(
  endpoint: Exclude<Endpoint, SshEndpoint>,
  tls: BunTlsOptions | undefined,
): Promise<ByteStream> {
  const state: Connection = {
    queue: new ByteQueue({ pause: () => socket.pause(), resume: () => socket.resume() }),
    drained: undefined,
    closed: false,
  };
  const close = (error?: unknown) => {
    state.closed = true;
    state.queue.end(error);
    state.drained?.();
  };
  const handlers = {
    data: (_socket: unknown, chunk: Uint8Array) => state.queue.push(chunk),
    end: () => state.queue.end(),
    close: () => close(),
    error: (_socket: unknown, error: Error) => close(error),
    drain: () => state.drained?.(),
  };
  const socket =
    endpoint.kind === 'unix'
      ? await Bun.connect({ unix: endpoint.path, allowHalfOpen: true, socket: handlers })
      : await Bun.connect({
          hostname: endpoint.hostname,
          port: endpoint.port,
          allowHalfOpen: true,
          ...(tls === undefined ? {} : { tls: tlsOptions(endpoint.hostname, tls) }),
          socket: handlers,
        });
  return {
    chunks: state.queue,
    write: (data) => writeAll(socket, state, data),
    closeWrite: async () => {
      socket.shutdown();
    },
    close: () => socket.terminate(),
  };
}

function tlsOptions(hostname: string, tls: BunTlsOptions) {
  return {
    rejectUnauthorized: tls.verify,
    serverName: hostname,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}

async function writeAll(
  socket: { write(data: Uint8Array): number; flush(): void },
  state: Connection,
  data: Uint8Array,
): Promise<void> {
  for (let rest = data; rest.length > 0; ) {
    const written = state.closed ? -1 : socket.write(rest);
    if (written < 0) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    rest = rest.subarray(written);
    if (rest.length === 0) return;
    await new Promise<void>((resolve) => {
      state.drained = resolve;
    });
    state.drained = undefined;
  }
}
