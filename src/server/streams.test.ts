import { afterEach, beforeEach, expect, test } from 'bun:test';
import { EngineError } from '../errors/engine-error.ts';
import type { EngineEvent } from '../events/event.ts';
import { head } from './testing/raw-client.ts';
import { eventually, settled, startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const event = (timeNano: bigint): EngineEvent => ({
  type: 'container',
  action: 'start',
  actorId: 'c1',
  attributes: { image: 'busybox', name: 'a<b' },
  timeNano,
});
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve());
  });

test('wait sends its head when it is registered and its answer at the exit', async () => {
  const { id } = server.engine.add();
  const client = await server.connect();
  client.send(head('POST', `/v1.51/containers/${id}/wait?condition=next-exit`, { 'Content-Length': '0' }));
  expect(await client.until('\r\n\r\n')).not.toContain('StatusCode');
  server.engine.all.get(id)?.exited.resolve({ exitCode: 3, error: undefined });
  await client.until('{"StatusCode":3}\n');
  client.send(head('POST', `/containers/${id}/wait?condition=x`, { 'Content-Length': '0' }));
  await client.until('invalid condition: \\"x\\"');
  client.socket.destroy();
});

test('wait tells an error of the container beside the code', async () => {
  const { id } = server.engine.add();
  server.engine.all.get(id)?.exited.resolve({ exitCode: 127, error: 'not found' });
  const response = await server.request(`/containers/${id}/wait`, { method: 'POST' });
  expect(await response.text()).toBe('{"StatusCode":127,"Error":{"Message":"not found"}}\n');
});

for (const leave of ['vanishes', 'half-closes'] as const)
  test(`a client that ${leave} aborts events, logs and a pull`, async () => {
    const { engine } = server;
    const { id } = engine.add();
    const aborted: string[] = [];
    engine.eventSource = async function* (_request, signal) {
      yield event(1n);
      await untilAborted(signal);
      aborted.push('events');
    };
    engine.pullWith = async (_request, progress, signal) => {
      progress({ status: 'Pulling' });
      await untilAborted(signal);
      aborted.push('pull');
      throw signal.reason;
    };
    engine.containers.logs = async (_name, _request, { signal }) => ({
      tty: false,
      attributes: '',
      batches: (async function* () {
        yield [{ stream: 'stdout', timeNano: 1n, data: Buffer.from('a\n') }];
        await untilAborted(signal);
        aborted.push('logs');
      })(),
    });
    for (const request of [
      head('GET', '/events'),
      head('POST', '/images/create?fromImage=x&tag=1', { 'Content-Length': '0' }),
      head('GET', `/containers/${id}/logs?stdout=1&follow=1`),
    ]) {
      const client = await server.connect();
      client.send(request);
      await client.until('\n');
      await client.until('HTTP/1.1 200 OK');
      await Bun.sleep(20);
      if (leave === 'vanishes') client.socket.destroy();
      else client.socket.end();
    }
    await eventually(() => aborted.length === 3, `all three learn of it, not only ${aborted.join()}`);
    expect(server.errors).toEqual([]);
  });

for (const leave of ['vanishes', 'half-closes'] as const)
  test(`a client that ${leave} amid what it sends aborts what reads it`, async () => {
    const { engine } = server;
    const read = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    engine.volumes.import = async (_wanted, archive, { signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(signal.reason));
      for await (const _chunk of archive) read.resolve();
      throw new Error('that was not all');
    };
    const client = await server.connect();
    client.send(head('POST', '/volumes/data/import', { 'Transfer-Encoding': 'chunked' }));
    client.send('5\r\nhello\r\n');
    await read.promise;
    if (leave === 'vanishes') client.socket.destroy();
    else client.socket.end();
    expect(await aborted.promise).toBeDefined();
    expect(server.errors).toEqual([]);
  });

test('events are lines with the fields that clients of 1.51 read, nanoseconds exact', async () => {
  const { engine } = server;
  engine.eventSource = async function* () {
    yield event(1795476583814621725n);
    yield {
      type: 'network',
      action: 'connect',
      actorId: 'n1',
      attributes: {},
      timeNano: 1795476583814621726n,
    };
  };
  const response = await server.request(
    '/events?since=1700000000.000000001&until=1800000000&filters={"type":["container"]}',
  );
  expect(await response.text()).toBe(
    '{"status":"start","id":"c1","from":"busybox","Type":"container","Action":"start","Actor":{"ID":"c1","Attributes":{"image":"busybox","name":"a\\u003cb"}},"scope":"local","time":1795476583,"timeNano":1795476583814621725}\n' +
      '{"Type":"network","Action":"connect","Actor":{"ID":"n1","Attributes":{}},"scope":"local","time":1795476583,"timeNano":1795476583814621726}\n',
  );
  expect(engine.calls).toEqual([
    [
      'events',
      {
        sinceNano: 1700000000000000001n,
        untilNano: 1800000000000000000n,
        filters: new Map([['type', ['container']]]),
      },
    ],
  ]);
});

test('the head of events leaves before the first event', async () => {
  server.engine.eventSource = async function* (_request, signal) {
    await untilAborted(signal);
    yield event(1n);
  };
  const client = await server.connect();
  client.send(head('GET', '/events'));
  expect(await client.until('\r\n\r\n')).toContain('Content-Type: application/json');
  client.socket.destroy();
});

test('events that fail to register are refused with a status', async () => {
  server.engine.system.events = () => Promise.reject(new EngineError('invalid', "invalid filter 'x'"));
  const response = await server.request('/events?filters={"x":["1"]}');
  expect([response.status, await response.text()]).toEqual([400, `{"message":"invalid filter 'x'"}\n`]);
});

test('an event reader that stops reading holds the source up, not memory', async () => {
  let told = 0;
  let ended = false;
  server.engine.eventSource = async function* (_request, signal) {
    const attributes = { text: 'x'.repeat(10_000) };
    try {
      while (!signal.aborted) {
        told++;
        yield { ...event(BigInt(told)), attributes };
      }
    } finally {
      ended = true;
    }
  };
  const client = await server.connect();
  client.socket.pause();
  client.send(head('GET', '/events'));
  await eventually(() => told > 10, 'events flow');
  expect(await settled(() => told, 'the source')).toBeLessThan(200);
  client.socket.destroy();
  await eventually(() => ended, 'the source ends');
});

const lines = (...texts: [stream: 'stdout' | 'stderr', text: string][]) =>
  async function* () {
    for (const [index, [stream, text]] of texts.entries())
      yield { stream, timeNano: 1700000000000000000n + BigInt(index), data: Buffer.from(text) };
  };

test('logs are framed, stamped, each part too, and passed on with their range', async () => {
  const { engine } = server;
  const { id } = engine.add();
  engine.logLines = lines(['stdout', 'a\n'], ['stderr', 'half'], ['stdout', 'b\n'], ['stderr', ' line\n']);
  const stamp = (nano: number) => `2023-11-14T22:13:20.00000000${nano}Z`;
  const frame = (stream: number, text: string) =>
    `${String.fromCharCode(stream)}\0\0\0\0\0\0${String.fromCharCode(text.length)}${text}`;
  const response = await server.request(
    `/v1.51/containers/${id}/logs?stdout=1&stderr=1&timestamps=1&since=1700000000&until=0&tail=5&follow=true`,
  );
  expect(response.headers.get('content-type')).toBe('application/vnd.docker.multiplexed-stream');
  expect(await response.text()).toBe(
    frame(1, `${stamp(0)} a\n`) +
      frame(2, `${stamp(1)} half`) +
      frame(1, `${stamp(2)} b\n`) +
      frame(2, `${stamp(3)}  line\n`),
  );
  expect(engine.calls).toEqual([
    [
      'logs',
      id,
      {
        stdout: true,
        stderr: true,
        follow: true,
        sinceNano: 1700000000000000000n,
        untilNano: undefined,
        tail: 5,
      },
    ],
  ]);
});

test('logs of a TTY are raw; a failure on the way is told in the stream', async () => {
  const { engine } = server;
  const { id } = engine.add((view) => {
    view.config = { ...view.config, tty: true };
  });
  engine.logLines = async function* () {
    yield* lines(['stdout', 'a\n'])();
    throw new EngineError('internal', 'disk gone');
  };
  const response = await server.request(`/containers/${id}/logs?stdout=1&tail=all`);
  expect(response.headers.get('content-type')).toBe('application/vnd.docker.raw-stream');
  expect(await response.text()).toBe('a\nError grabbing logs: disk gone\n');
});

test('a pull whose client does not read drops byte counts, never a state', async () => {
  const { engine } = server;
  const total = 1e9;
  let done = false;
  engine.pullWith = async (_request, progress) => {
    for (let at = 0; at < 100_000; at++) {
      progress({ id: '0123456789ab', status: 'Downloading', current: at, total });
      if (at % 100 === 0) await Bun.sleep(0);
    }
    progress({ id: '0123456789ab', status: 'Pull complete' });
    done = true;
  };
  const client = await server.connect();
  client.socket.pause();
  client.send(head('POST', '/images/create?fromImage=x&tag=1', { 'Content-Length': '0' }));
  await eventually(() => done, 'the pull ends');
  client.socket.resume();
  await client.until('Pull complete');
  await client.until('0\r\n\r\n');
  expect(client.bytes.length).toBeLessThan(2_000_000);
  client.socket.destroy();
});
