import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Endpoint, hostHeader } from '../endpoint.ts';
import { ByteQueue } from '../http1/byte-queue.ts';
import { Http1Transport } from '../http1/http1-transport.ts';
import type { ByteStream, Transport } from '../transport.ts';

/** PEM texts. */
export interface TlsOptions {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  /** Check the daemon's certificate; default true. */
  verify?: boolean;
}

/** A transport on `node:net` and `node:tls`: for Node 18 and up, and for Bun. */
export function nodeTransport(endpoint: Endpoint, options: { tls?: TlsOptions | undefined } = {}): Transport {
  return new Http1Transport({
    endpoint: endpoint.url,
    dial: () => dial(endpoint, options.tls),
    host: hostHeader(endpoint),
  });
}

function dial(endpoint: Endpoint, tls: TlsOptions | undefined): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const socket = open(endpoint, tls);
    const ready = endpoint.kind === 'tcp' && tls !== undefined ? 'secureConnect' : 'connect';
    const queue = new ByteQueue({ pause: () => socket.pause(), resume: () => socket.resume() });
    let failure: Error | undefined;
    socket.on('data', (chunk: Uint8Array) => queue.push(chunk));
    socket.on('end', () => queue.end());
    socket.on('error', (error) => {
      failure = error;
      reject(error);
    });
    socket.on('close', () => queue.end(failure));
    socket.once(ready, () => resolve(byteStream(socket, queue)));
  });
}

function open(endpoint: Endpoint, tls: TlsOptions | undefined): Socket {
  if (endpoint.kind === 'unix') return connectTcp({ path: endpoint.path, allowHalfOpen: true });
  const { hostname: host, port } = endpoint;
  if (tls === undefined) return connectTcp({ host, port, allowHalfOpen: true });
  return connectTls({
    host,
    port,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: tls.verify !== false,
    ...(/[a-z]/i.test(host) && !host.includes(':') ? { servername: host } : {}),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  });
}

function byteStream(socket: Socket, queue: ByteQueue): ByteStream {
  return {
    chunks: queue,
    write: (data) =>
      new Promise((resolve, reject) => {
        socket.write(data, (error) => (error ? reject(error) : resolve()));
      }),
    closeWrite: () =>
      new Promise((resolve) => {
        socket.end(() => resolve());
      }),
    close: () => socket.destroy(),
    unref: () => void socket.unref(),
  };
}
