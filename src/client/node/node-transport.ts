import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Endpoint, hostHeader, type SshEndpoint } from '../endpoint.ts';
import { ByteQueue } from '../http1/byte-queue.ts';
import { Http1Transport } from '../http1/http1-transport.ts';
import type { ByteStream, Transport } from '../transport.ts';
import { openSsh } from './ssh-stream.ts';

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
  if (endpoint.kind === 'ssh') return openSsh(endpoint);
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

function open(endpoint: Exclude<Endpoint, SshEndpoint>, tls: TlsOptions | undefined): Socket {
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
    write: (data) => untilClosed(socket, (done) => void socket.write(data, done)),
    closeWrite: () => untilClosed(socket, (done) => void socket.end(done)).catch(() => undefined),
    close: () => socket.destroy(),
    unref: () => void socket.unref(),
  };
}

/** Node 20 forgets the callback of a write that is under way when its socket is destroyed: closing it is an end too. */
function untilClosed(socket: Socket, act: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('The connection was closed'));
    socket.once('close', onClose);
    act((error) => {
      socket.off('close', onClose);
      if (error) reject(error);
      else resolve();
    });
  });
}
