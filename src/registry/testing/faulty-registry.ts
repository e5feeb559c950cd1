import { createServer, type Server, type Socket } from 'node:net';
import type { RegistryHandler } from '../server/registry-handler.ts';

export interface SeenRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: Headers;
}

/** What goes wrong with one answer. Bytes count within the body. */
export type Fault =
  | { kind: 'cut'; atByte: number }
  | { kind: 'stall'; atByte: number }
  | { kind: 'silent' }
  | { kind: 'reset' }
  /** The registry does it, and the answer is lost. */
  | { kind: 'lost' }
  | { kind: 'corrupt' }
  | { kind: 'surplus'; bytes: number }
  /** The body, then zeros for as long as anybody listens; it names no length. */
  | { kind: 'endless' }
  | { kind: 'ignore-range' }
  | { kind: 'headers'; headers: Record<string, string> }
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string };

export interface FaultyRegistry {
  url: string;
  port: number;
  requests: SeenRequest[];
  /** Connections now. */
  readonly open: number;
  /** Asked for each request; undefined lets it pass. */
  fault: (request: SeenRequest) => Fault | undefined;
  close(): Promise<void>;
}

/** A registry that cuts, stalls and lies. It writes HTTP by hand, one request per connection, so that any lie can be told. */
export async function startFaultyRegistry(handler: RegistryHandler): Promise<FaultyRegistry> {
  const sockets = new Set<Socket>();
  const registry: FaultyRegistry = {
    url: '',
    port: 0,
    requests: [],
    get open() {
      return sockets.size;
    },
    fault: () => undefined,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let received = Buffer.alloc(0);
    let answering = false;
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, Buffer.from(chunk)]);
      // A TLS hello: as a plain HTTP server, which answers no such thing.
      if (received[0] === 0x16) return void socket.destroy();
      const request = answering ? undefined : parseRequest(received, registry.url);
      if (request === undefined) return;
      answering = true;
      void answer({ socket, request, registry, handler }).catch(() => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  registry.port = address.port;
  registry.url = `http://127.0.0.1:${address.port}`;
  return registry;
}

interface Exchange {
  socket: Socket;
  request: Request;
  registry: FaultyRegistry;
  handler: RegistryHandler;
}

async function answer({ socket, request, registry, handler }: Exchange): Promise<void> {
  const url = new URL(request.url);
  const seen = { method: request.method, path: url.pathname + url.search, headers: request.headers };
  registry.requests.push(seen);
  const fault = registry.fault(seen);
  if (fault?.kind === 'silent') return;
  if (fault?.kind === 'reset') return void socket.resetAndDestroy();
  if (fault?.kind === 'ignore-range') request.headers.delete('range');
  const response =
    fault?.kind === 'answer'
      ? new Response(fault.body ?? '', { status: fault.status, headers: fault.headers ?? {} })
      : await handler(request);
  if (fault?.kind === 'lost') return void socket.resetAndDestroy();
  const body = tamper(new Uint8Array(await response.arrayBuffer()), fault);
  const length = response.headers.get('content-length') ?? String(body.length);
  const headers = { ...Object.fromEntries(response.headers), 'content-length': length, connection: 'close' };
  const told = fault?.kind === 'headers' ? { ...headers, ...fault.headers } : headers;
  if (fault?.kind === 'endless') delete (told as Record<string, string>)['content-length'];
  const lines = Object.entries(told).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${response.status} Told\r\n${lines.join('')}\r\n`);
  if (request.method !== 'HEAD')
    socket.write(fault && 'atByte' in fault ? body.subarray(0, fault.atByte) : body);
  if (fault?.kind === 'endless') return pourOut(socket);
  // Bun's fetch drops what it has received but not yet handed on when the connection breaks: let it hand on.
  if (fault?.kind === 'cut') await Bun.sleep(100);
  if (fault?.kind !== 'stall') socket.end();
}

/** As fast as it is read. */
function pourOut(socket: Socket): void {
  const zeros = new Uint8Array(64 << 10);
  const pour = () => {
    while (!socket.destroyed && socket.write(zeros));
  };
  socket.on('drain', pour);
  pour();
}

function tamper(body: Uint8Array, fault: Fault | undefined): Uint8Array {
  if (fault?.kind === 'surplus') return new Uint8Array([...body, ...new Uint8Array(fault.bytes)]);
  if (fault?.kind !== 'corrupt' || body.length === 0) return body;
  const copy = body.slice();
  // A space instead of the last line break changes nothing but a manifest's digest.
  copy[copy.length - 1] = 0x20;
  return copy;
}

/** A whole request, or undefined while there is more to come. */
function parseRequest(received: Buffer, base: string): Request | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  const [method = '', path = ''] = first.split(' ');
  const headers = new Headers(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const length = Number(headers.get('content-length') ?? 0);
  const body = received.subarray(end + 4);
  if (body.length < length) return undefined;
  const hasBody = method !== 'GET' && method !== 'HEAD' && length > 0;
  return new Request(new URL(path, base).href, {
    method,
    headers,
    body: hasBody ? new Uint8Array(body) : null,
  });
}
