import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { API_VERSION } from '../wire/versions.ts';
import { demultiplex, demultiplexJoined } from './demultiplex.ts';
import { parseEndpoint } from './endpoint.ts';
import { EngineClient } from './engine-client.ts';
import { Http1Transport } from './http1/http1-transport.ts';
import { nodeTransport } from './node/node-transport.ts';
import { encodeFilters, encodeQuery } from './query.ts';
import type { ByteStream } from './transport.ts';

const PING = 'HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nOstype: linux\r\n\r\n';
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A daemon that answers the ping and hands every other request, head and all, to `answer`. */
async function daemon(
  answer: (socket: Socket, request: string) => void,
): Promise<{ client: EngineClient; requests: string[]; connections: () => number }> {
  const directory = mkdtempSync(join(tmpdir(), 'sampan-client-'));
  const path = join(directory, 's');
  const requests: string[] = [];
  let connections = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    connections++;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const first = text === '';
      text += chunk.toString('latin1');
      if (!first) return;
      requests.push(text);
      if (text.includes('/_ping')) socket.end(PING);
      else answer(socket, text);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  cleanups.push(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const client = new EngineClient(nodeTransport(parseEndpoint(`unix://${path}`)));
  return { client, requests, connections: () => connections };
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(5);
  expect(holds()).toBe(true);
}

describe('calls', () => {
  test('the version is the older of both, asked for once', async () => {
    const { client, requests } = await daemon((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]'),
    );
    expect(await client.containers.list({ all: true })).toEqual([]);
    await client.images.list();
    expect(requests.map((text) => text.split('\r\n')[0])).toEqual([
      'HEAD /_ping HTTP/1.1',
      'GET /v1.44/containers/json?all=1 HTTP/1.1',
      'GET /v1.44/images/json HTTP/1.1',
    ]);
  });

  test('a presumed version saves the ping', async () => {
    const { client, requests } = await daemon((socket) =>
      socket.end('HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{"Id":"a"}'),
    );
    client.presumeVersion();
    expect(await client.containers.create({ Image: 'x' })).toMatchObject({ Id: 'a' });
    await client.containers.create({ Image: 'x' });
    const line = `POST /v${API_VERSION}/containers/create HTTP/1.1`;
    expect(requests.map((text) => text.split('\r\n')[0])).toEqual([line, line]);
  });

  test('a daemon that does not know the presumed version is asked, and gets the call again in its own', async () => {
    const message = `client version ${API_VERSION} is too new. Maximum supported API version is 1.44`;
    const { client, requests } = await daemon((socket, request) => {
      const old = request.includes('/v1.44/');
      const body = old ? '{"Id":"a"}' : JSON.stringify({ message });
      socket.end(
        `HTTP/1.1 ${old ? '201 Created' : '400 Bad Request'}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    });
    client.presumeVersion();
    expect(await client.containers.create({ Image: 'x' })).toMatchObject({ Id: 'a' });
    expect(requests.map((text) => text.split('\r\n')[0])).toEqual([
      `POST /v${API_VERSION}/containers/create HTTP/1.1`,
      'HEAD /_ping HTTP/1.1',
      'POST /v1.44/containers/create HTTP/1.1',
    ]);
    expect(requests[2]?.split('\r\n\r\n')[1]).toBe('{"Image":"x"}\n');
  });

  test('connections made ahead are used, and made anew when they have grown old', async () => {
    const { client, requests, connections } = await daemon((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]'),
    );
    client.connectAhead(2);
    await eventually(() => connections() === 2);
    expect(await client.containers.list()).toEqual([]);
    expect([connections(), requests.length]).toEqual([2, 2]);
    client.connectAhead(1);
    await eventually(() => connections() === 3);
    await sleep(1100);
    expect(await client.containers.list()).toEqual([]);
    expect([connections(), requests.length]).toEqual([4, 3]);
  });

  test('a refusal has kind, status and message', async () => {
    const { client } = await daemon((socket) =>
      socket.end(
        'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"mess\r\n1c\r\nage":"No such container: x"}\r\n0\r\n\r\n',
      ),
    );
    expect(client.containers.inspect('x')).rejects.toMatchObject({
      kind: 'not-found',
      status: 404,
      message: 'No such container: x',
    });
  });

  test('int64 beyond 2^53 stays exact, lines come as they are sent', async () => {
    const { client } = await daemon((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n{"Type":"a","timeNano":1795476716123456789}\n{"Ty');
      setTimeout(() => socket.end('pe":"b"}\n'), 20);
    });
    const events = await Array.fromAsync(client.system.events({}));
    expect(events.map((event) => [event.Type, event.timeNano])).toEqual([
      ['a', 1795476716123456789n],
      ['b', undefined],
    ]);
  });

  test.each([
    ['no HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['a body that ends early', 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[]'],
    ['a chunk size that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'],
    ['nothing', ''],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
  ])('%s is an error, not a hang', async (_name, answer) => {
    const { client } = await daemon((socket) => socket.end(answer));
    expect(client.containers.list()).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('no daemon', async () => {
    const client = new EngineClient(nodeTransport(parseEndpoint('unix:///nonexistent/s')));
    expect(client.ping()).rejects.toThrow(
      'Cannot connect to the Docker daemon at unix:///nonexistent/s. Is the docker daemon running?',
    );
  });

  test('an abort ends a stream with its reason', async () => {
    const { client } = await daemon((socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\n{"Type":"a"}\n'));
    const abort = new AbortController();
    const events = client.system.events({ signal: abort.signal });
    expect((await events.next()).value).toMatchObject({ Type: 'a' });
    setTimeout(() => abort.abort(new Error('enough')), 10);
    expect(events.next()).rejects.toThrow('enough');
  });
});

test('attach: bytes both ways, and the output goes on after the half-close', async () => {
  const { client } = await daemon((socket) => {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    socket.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 0x68, 0x69, 2, 0, 0]));
    socket.on('end', () => socket.end(Buffer.from([0, 0, 0, 0, 3, 0x65, 0x72, 0x72])));
  });
  const connection = await client.containers.attach('x', { stream: true, stdin: true, stdout: true });
  await connection.write(new TextEncoder().encode('in'));
  await connection.closeWrite();
  const parts = await Array.fromAsync(demultiplex(connection.input));
  expect(parts.map(({ stream, data }) => [stream, new TextDecoder().decode(data)])).toEqual([
    ['stdout', 'hi'],
    ['stderr', 'err'],
  ]);
});

test('frames of an unknown stream or without end are refused', async () => {
  const frames = async function* (...bytes: number[][]) {
    for (const each of bytes) yield Uint8Array.from(each);
  };
  expect(Array.fromAsync(demultiplex(frames([9, 0, 0, 0, 0, 0, 0, 1, 1])))).rejects.toThrow(
    'Unrecognized stream: 9',
  );
  expect(Array.fromAsync(demultiplex(frames([1, 0, 0, 0, 0, 0, 0, 5, 1])))).rejects.toThrow('within a frame');
});

test('queries and filters are written as Go writes them', () => {
  expect(encodeQuery({ b: ['x y', 'z&'], a: true, c: undefined, d: 5n })).toBe('?a=1&b=x+y&b=z%26&d=5');
  expect(encodeFilters({ status: ['b', 'a', 'a'], label: [] })).toBe('{"status":{"a":true,"b":true}}');
});

test.each([
  ['unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
  ['tcp://10.0.0.1', { kind: 'tcp', hostname: '10.0.0.1', port: 2375 }],
  ['[::1]:99', { kind: 'tcp', hostname: '::1', port: 99, url: 'tcp://[::1]:99' }],
])('%s is an endpoint', (host, expected) => {
  expect(parseEndpoint(host)).toMatchObject(expected as object);
});

test('foo://x is none', () => {
  expect(() => parseEndpoint('foo://x')).toThrow(
    'unable to resolve docker endpoint: invalid bind address format: foo://x',
  );
});

/** A stream that gives `text` and then nothing, for ever. */
function stuckStream(text: string): ByteStream & { closed: boolean } {
  return {
    closed: false,
    chunks: (async function* () {
      yield new TextEncoder().encode(text);
      await new Promise<never>(() => undefined);
    })(),
    write: async () => undefined,
    closeWrite: async () => undefined,
    close() {
      this.closed = true;
    },
  };
}

test('an abort counts at whatever moment it comes', async () => {
  const reason = new Error('enough');
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbeginning';
  const open = (stream: ByteStream, beforeConnected: () => void) =>
    new Http1Transport({
      endpoint: 'unix:///x',
      host: 'x',
      dial: async () => {
        beforeConnected();
        return stream;
      },
    });
  const early = new AbortController();
  const connecting = stuckStream(answer);
  const refused = open(connecting, () => early.abort(reason)).stream({
    method: 'GET',
    path: '/',
    signal: early.signal,
  });
  expect(await refused.catch((error: unknown) => error)).toBe(reason);
  const late = new AbortController();
  const answered = stuckStream(answer);
  const { body } = await open(answered, () => undefined).stream({
    method: 'GET',
    path: '/',
    signal: late.signal,
  });
  late.abort(reason);
  expect(await Array.fromAsync(body).catch((error: unknown) => error)).toBe(reason);
  expect([connecting.closed, answered.closed]).toEqual([true, true]);
});

test('demultiplexJoined() gives back what was framed, however the bytes are cut, in few parts', async () => {
  const frame = (stream: number, text: string) => [
    stream,
    0,
    0,
    0,
    0,
    0,
    text.length >> 8,
    text.length & 255,
    ...Buffer.from(text),
  ];
  const long = 'x'.repeat(700);
  const bytes = [
    ...frame(1, 'a'),
    ...frame(1, ''),
    ...frame(1, 'bc'),
    ...frame(2, 'error'),
    ...frame(1, long),
    ...frame(1, 'end'),
  ];
  for (let size = 1; size <= bytes.length; size += 7) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(Uint8Array.from(bytes.slice(at, at + size)));
    const texts: Record<string, string> = {};
    const parts = await Array.fromAsync(demultiplexJoined(chunksOf(chunks)));
    for (const { stream, data } of parts)
      texts[stream] = (texts[stream] ?? '') + Buffer.from(data).toString();
    expect(texts).toEqual({ stdout: `abc${long}end`, stderr: 'error' });
    if (size > bytes.length / 2 && chunks.length === 1)
      expect(parts.map(({ stream, data }) => [stream, data.length])).toEqual([
        ['stdout', 3],
        ['stderr', 5],
        ['stdout', 703],
      ]);
  }
  expect(
    Array.fromAsync(demultiplexJoined(chunksOf([Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 5, 1])]))),
  ).rejects.toThrow('within a frame');
  expect(
    Array.fromAsync(demultiplexJoined(chunksOf([Uint8Array.from([9, 0, 0, 0, 0, 0, 0, 1, 1])]))),
  ).rejects.toThrow('Unrecognized stream: 9');
});

async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
