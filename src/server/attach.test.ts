import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { ContainerView } from '../containers/container.ts';
import type { AttachClient } from '../containers/container-backend.ts';
import { EngineError } from '../errors/engine-error.ts';
import { FrameDecoder } from '../wire/stream-frame.ts';
import { head, UPGRADE } from './testing/raw-client.ts';
import { eventually, settled, startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const ALL = 'stream=1&stdin=1&stdout=1&stderr=1';
const UPGRADED =
  'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const RAW = 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n';
const MEGABYTE = Buffer.alloc(1 << 20, 0x61);

const echo = async (client: AttachClient) => {
  for await (const data of client.stdin) await client.write('stdout', data);
  await client.write('stderr', Buffer.from('bye'));
  return 0;
};

/** A running container whose process is `program`. */
function container(program: (client: AttachClient) => Promise<number>, tty = false): ContainerView {
  server.engine.programs.set('program', program);
  const view = server.engine.add((made) => {
    made.path = 'program';
    made.config = { ...made.config, tty };
  });
  server.engine.all.get(view.id)?.started.resolve();
  return view;
}

function framesOf(bytes: Buffer, headText: string): { stdout: string; stderr: string } {
  const out = { stdout: '', stderr: '' };
  const decoder = new FrameDecoder();
  for (const { stream, data } of decoder.push(bytes.subarray(headText.length)))
    if (stream === 'stdout' || stream === 'stderr') out[stream] += Buffer.from(data).toString();
  expect(decoder.atBoundary).toBe(true);
  return out;
}

test('attach upgrades, keeps early bytes, and half-closes both ways', async () => {
  const { id } = container(echo);
  const client = await server.connect();
  client.send(`${head('POST', `/v1.51/containers/${id}/attach?${ALL}`, UPGRADE)}early `);
  await client.until('early');
  client.socket.end('late');
  await client.untilEnd();
  expect(client.text).toStartWith(UPGRADED);
  expect(framesOf(client.bytes, UPGRADED)).toEqual({ stdout: 'early late', stderr: 'bye' });
});

test('attach upgrades on a connection that served other requests before', async () => {
  const { id } = container(echo);
  const client = await server.connect();
  client.send(head('GET', '/_ping'));
  await client.until('OK');
  const before = client.bytes.length;
  client.send(head('POST', `/containers/${id}/attach?${ALL}`, UPGRADE));
  client.socket.end('x');
  await client.untilEnd();
  expect(framesOf(client.bytes.subarray(before), UPGRADED)).toEqual({ stdout: 'x', stderr: 'bye' });
});

test('with a TTY the stream is raw, and says so; before 1.42 its type always does', async () => {
  const upgrade = async (version: string, tty: boolean) => {
    const { id } = container(echo, tty);
    const client = await server.connect();
    client.send(head('POST', `/v${version}/containers/${id}/attach?${ALL}`, UPGRADE));
    client.socket.end('hello');
    return client.untilEnd();
  };
  const rawHead = UPGRADED.replace('multiplexed', 'raw');
  expect(await upgrade('1.51', true)).toBe(`${rawHead}hellobye`);
  expect(await upgrade('1.41', false)).toStartWith(`${rawHead}\x01\0\0\0\0\0\0\x05hello`);
});

test('attach without Upgrade is answered 200 and hijacked, early bytes and half-close included', async () => {
  const { id } = container(echo);
  const client = await server.connect();
  client.send(
    `${head('POST', `/v1.51/containers/${id}/attach?${ALL}`, { 'Content-Length': '0' })}GET / HTTP/1.1`,
  );
  client.socket.end('\r\n\r\n');
  await client.untilEnd();
  expect(client.text).toStartWith(RAW);
  expect(framesOf(client.bytes, RAW).stdout).toBe('GET / HTTP/1.1\r\n\r\n');
});

test('attach with Upgrade and no `Connection` is an upgrade all the same', async () => {
  const { id } = container(echo);
  const client = await server.connect();
  client.send(
    `${head('POST', `/v1.51/containers/${id}/attach?${ALL}`, { Upgrade: 'tcp', 'Content-Length': '0' })}early`,
  );
  client.socket.end();
  await client.untilEnd();
  expect(client.text).toStartWith(UPGRADED);
  expect(framesOf(client.bytes, UPGRADED).stdout).toBe('early');
});

test('attach without Upgrade whose head comes in pieces is hijacked all the same', async () => {
  const { id } = container(echo);
  const client = await server.connect();
  for (const piece of head('POST', `/containers/${id}/attach?${ALL}`).match(/[^]{1,7}/g) ?? []) {
    client.send(piece);
    await Bun.sleep(1);
  }
  client.socket.end('typed');
  await client.untilEnd();
  expect(framesOf(client.bytes, RAW).stdout).toBe('typed');
});

test('attach without Upgrade on a kept-alive connection streams its output in HTTP', async () => {
  const { id } = container(async (client) => {
    for await (const _ of client.stdin);
    await client.write('stdout', Buffer.from('out'));
    return 0;
  });
  const client = await server.connect();
  client.send(head('GET', '/_ping'));
  await client.until('OK');
  client.send(head('POST', `/containers/${id}/attach?stream=1&stdout=1`, { 'Content-Length': '0' }));
  await client.until('out');
  expect(client.text).toContain('application/vnd.docker.raw-stream');
  await client.until('0\r\n\r\n');
  client.send(head('GET', '/nope'));
  await client.until('page not found');
  client.socket.destroy();
});

test('options in the body, as dockerode sends them, are not typed into the container', async () => {
  const body = '{"stream":true,"stdin":true}';
  for (const upgrade of [{ Connection: 'Upgrade', Upgrade: 'tcp' }, {}]) {
    const { id } = container(echo);
    const client = await server.connect();
    const headers = { ...upgrade, 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
    client.send(head('POST', `/containers/${id}/attach?${ALL}`, headers) + body.slice(0, 5));
    await Bun.sleep(10);
    client.send(`${body.slice(5)}typed `);
    await client.until('typed');
    client.socket.end('more');
    await client.untilEnd();
    const start = 'Upgrade' in upgrade ? UPGRADED : RAW;
    expect(framesOf(client.bytes, start)).toEqual({ stdout: 'typed more', stderr: 'bye' });
  }
});

test('a chunked body without Upgrade is stdin', async () => {
  const { id } = container(echo);
  const client = await server.connect();
  client.send(
    `${head('POST', `/containers/${id}/attach?${ALL}`, { 'Transfer-Encoding': 'chunked' })}5\r\ntyped\r\n`,
  );
  await client.until('typed');
  client.send('0\r\n\r\n');
  await client.until('bye');
  client.socket.destroy();
});

test('typing behind an attach that stayed in HTTP costs the input, not the output', async () => {
  const gate = Promise.withResolvers<void>();
  const { id } = container(async (client) => {
    await gate.promise;
    await client.write('stdout', Buffer.from('output'));
    return 0;
  });
  const client = await server.connect();
  client.send(head('GET', '/_ping'));
  await client.until('OK');
  client.send(head('POST', `/containers/${id}/attach?${ALL}`, { 'Content-Length': '0' }));
  await client.until('raw-stream');
  client.send('typed, which is no HTTP\r\n\r\n');
  await Bun.sleep(50);
  gate.resolve();
  await client.until('output');
  expect(await client.untilEnd()).not.toContain('400');
});

test('a refused attach is plain HTTP on both ways', async () => {
  for (const headers of [UPGRADE, { 'Content-Length': '0' }]) {
    const client = await server.connect();
    client.send(head('POST', `/v1.51/containers/nope/attach?${ALL}`, headers));
    const text = await client.untilEnd();
    expect(text).toStartWith('HTTP/1.1 404 Not Found\r\n');
    expect(text).toEndWith('\r\n\r\n{"message":"No such container: nope"}\n');
  }
});

test('a client that does not read holds the program up, not memory; when it reads, all is there', async () => {
  let written = 0;
  const { id } = container(async (client) => {
    for (let at = 0; at < 32 * 32; at++) {
      await client.write('stdout', MEGABYTE.subarray(0, 32768));
      written += 32768;
    }
    return 0;
  });
  const client = await server.connect();
  client.socket.pause();
  client.send(head('POST', `/containers/${id}/attach?stream=1&stdout=1`, UPGRADE));
  await eventually(() => written > 0, 'the program writes');
  expect(await settled(() => written, 'the program')).toBeLessThan(2 << 20);
  client.socket.resume();
  await client.untilEnd();
  expect(framesOf(client.bytes, UPGRADED).stdout.length).toBe(32 << 20);
});

test('a program that does not read holds the client up; when it reads, all is there', async () => {
  const gate = Promise.withResolvers<void>();
  let read = 0;
  const { id } = container(async (client) => {
    await gate.promise;
    for await (const data of client.stdin) read += data.length;
    return 0;
  });
  const client = await server.connect();
  client.send(head('POST', `/containers/${id}/attach?${ALL}`, UPGRADE));
  await client.until('101');
  for (let at = 0; at < 16; at++) client.send(MEGABYTE);
  client.socket.end();
  expect(await settled(() => client.socket.writableLength, 'the client')).toBeGreaterThan(8 << 20);
  gate.resolve();
  await client.untilEnd();
  expect(read).toBe(16 << 20);
});

test('a client that vanishes aborts its signal, ends its stdin and fails the next write', async () => {
  const seen: string[] = [];
  const { id } = container(async (client) => {
    client.signal.addEventListener('abort', () => seen.push('aborted'));
    try {
      for (;;) {
        await client.write('stdout', MEGABYTE.subarray(0, 1000));
        await Bun.sleep(1);
      }
    } catch (error) {
      seen.push((error as Error).message);
    }
    return 0;
  });
  const client = await server.connect();
  client.send(head('POST', `/containers/${id}/attach?${ALL}`, UPGRADE));
  await client.until('aaa');
  client.socket.destroy();
  await eventually(() => seen.length === 2, 'the program learns of it');
  expect(seen).toEqual(['aborted', 'the client is gone']);
  expect(server.errors).toEqual([]);
});

test('a client that vanishes while it is not read leaves nobody waiting', async () => {
  let outcome: unknown;
  const { id } = container(async (client) => {
    outcome = await client
      .write('stdout', Buffer.concat(Array.from({ length: 8 }, () => MEGABYTE)))
      .catch((error: unknown) => error);
    return 0;
  });
  const client = await server.connect();
  client.socket.pause();
  client.send(head('POST', `/containers/${id}/attach?stream=1&stdout=1`, UPGRADE));
  await Bun.sleep(100);
  expect(outcome).toBeUndefined();
  client.socket.destroy();
  await eventually(() => outcome instanceof EngineError, 'the write fails');
});

test('a client without stdin may half-close at once and still gets everything', async () => {
  const gate = Promise.withResolvers<void>();
  const { id } = container(async (client) => {
    for await (const _ of client.stdin) throw new Error('nobody typed');
    await gate.promise;
    await client.write('stdout', Buffer.from('still here'));
    return 0;
  });
  const client = await server.connect();
  client.send(head('POST', `/containers/${id}/attach?stream=1&stdout=1`, UPGRADE));
  client.socket.end();
  await client.until('101');
  await Bun.sleep(50);
  gate.resolve();
  await client.untilEnd();
  expect(framesOf(client.bytes, UPGRADED).stdout).toBe('still here');
});

test('a client that reads only after the program has ended loses nothing', async () => {
  let done = false;
  const { id } = container(async (client) => {
    // As much as the connection takes without being read, and a little more.
    const write = client.write('stdout', MEGABYTE);
    done = true;
    await Promise.race([write, Bun.sleep(10)]);
    return 0;
  });
  const client = await server.connect();
  client.socket.pause();
  client.send(head('POST', `/containers/${id}/attach?stream=1&stdout=1`, UPGRADE));
  await eventually(() => done, 'the program ends');
  await Bun.sleep(100);
  client.socket.resume();
  await client.untilEnd();
  expect(framesOf(client.bytes, UPGRADED).stdout.length).toBe(1 << 20);
});

test('no connection outlives its client, however the attach ended', async () => {
  const { id } = container(echo);
  const attached = head('POST', `/containers/${id}/attach?${ALL}`, UPGRADE);
  const refused = head('POST', `/containers/nope/attach?${ALL}`, UPGRADE);
  const raw = head('POST', `/containers/nope/attach?${ALL}`);
  for (const request of [attached, refused, raw, attached, refused, raw]) {
    const client = await server.connect();
    client.send(request);
    if (request === attached) client.socket.end();
    await client.untilEnd();
    client.socket.destroy();
  }
  await eventually(() => server.server.connections === 0, 'all are closed');
});

test('closing the server ends an attach at once', async () => {
  let reason: unknown;
  const { id } = container(
    (client) =>
      new Promise((resolve) => {
        client.signal.addEventListener('abort', () => {
          reason = client.signal.reason;
          resolve(0);
        });
      }),
  );
  const client = await server.connect();
  client.send(head('POST', `/containers/${id}/attach?${ALL}`, UPGRADE));
  await client.until('101');
  const before = Date.now();
  await server.server.close(5000);
  expect(Date.now() - before).toBeLessThan(1000);
  expect((reason as Error).message).toBe('the engine is shutting down');
  await client.untilEnd();
});
