import { afterEach, beforeEach, expect, test } from 'bun:test';
import { FrameDecoder } from '../wire/stream-frame.ts';
import type { FakeExecProgram } from './testing/fake-execs.ts';
import { head, type RawClient } from './testing/raw-client.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
  server.engine.execs.programs.set('cat', echo);
});
afterEach(() => server.stop());

const echo: FakeExecProgram = async (client) => {
  if (client === undefined) return 0;
  for await (const data of client.stdin) await client.write('stdout', data);
  await client.write('stderr', Buffer.from('bye'));
  return 4;
};

const post = (path: string, body: unknown) =>
  server.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function create(body: object): Promise<string> {
  const response = await post('/v1.51/containers/box/exec', body);
  expect(response.status).toBe(201);
  return ((await response.json()) as { Id: string }).Id;
}

async function start(
  id: string,
  body: object,
  options: { upgrade: boolean; typed?: string },
): Promise<RawClient> {
  const text = JSON.stringify(body);
  const upgrade = options.upgrade ? { Connection: 'Upgrade', Upgrade: 'tcp' } : {};
  const headers = { 'Content-Type': 'application/json', 'Content-Length': String(text.length), ...upgrade };
  const client = await server.connect();
  client.send(`${head('POST', `/v1.51/exec/${id}/start`, headers)}${text}${options.typed ?? ''}`);
  return client;
}

function frames(client: RawClient): Record<string, string> {
  const out: Record<string, string> = {};
  const bytes = client.bytes.subarray(client.bytes.indexOf('\r\n\r\n') + 4);
  for (const { stream, data } of new FrameDecoder().push(bytes))
    out[stream] = (out[stream] ?? '') + Buffer.from(data).toString();
  return out;
}

const STREAMS = { AttachStdin: true, AttachStdout: true, AttachStderr: true };

test('create decodes every field; what is wrong is refused in words of Docker', async () => {
  await create({
    Cmd: ['a', 'b'],
    Env: ['X=1'],
    User: 'u',
    WorkingDir: '/w',
    Privileged: true,
    Tty: true,
    DetachKeys: 'ctrl-x,y',
    ConsoleSize: [40, 100],
    ...STREAMS,
  });
  expect(server.engine.execs.calls[0]).toEqual([
    'create',
    'box',
    {
      command: ['a', 'b'],
      env: ['X=1'],
      user: 'u',
      workingDir: '/w',
      privileged: true,
      tty: true,
      attachStdin: true,
      attachStdout: true,
      attachStderr: true,
      detachKeys: Uint8Array.of(24, 121),
      consoleSize: [40, 100],
    },
  ]);
  // As seen on Docker 28.5.
  for (const [body, status, message] of [
    [{}, 400, 'No exec command specified'],
    [{ Cmd: ['x'], DetachKeys: 'ctrl-?' }, 500, 'Invalid escape keys (ctrl-?) provided'],
    [
      { Cmd: 'x' },
      400,
      'invalid JSON: json: cannot unmarshal string into Go struct field ExecOptions.Cmd of type []string',
    ],
  ] as const) {
    const response = await post('/containers/box/exec', body);
    expect([response.status, await response.json()]).toEqual([status, { message }]);
  }
  expect((await server.request('/containers/box/exec', { method: 'POST' })).status).toBe(400);
});

test('before 1.42 there is no console size', async () => {
  await post('/v1.41/containers/box/exec', { Cmd: ['a'], ConsoleSize: [1, 2] });
  expect(server.engine.execs.calls[0]?.[2]).toMatchObject({ consoleSize: undefined });
});

test.each([true, false])(
  'start, upgraded: %p: typing behind the body, half-close, both streams',
  async (upgrade) => {
    const id = await create({ Cmd: ['cat'], ...STREAMS });
    const client = await start(id, {}, { upgrade, typed: 'early ' });
    await client.until('early');
    client.socket.end('late');
    await client.untilEnd();
    expect(client.text).toStartWith(upgrade ? 'HTTP/1.1 101 UPGRADED\r\n' : 'HTTP/1.1 200 OK\r\n');
    expect(frames(client)).toEqual({ stdout: 'early late', stderr: 'bye' });
  },
);

test('a terminal is raw; what is none but is asked for raw has its output alone', async () => {
  const raw = async (tty: boolean) => {
    const client = await start(
      await create({ Cmd: ['cat'], Tty: tty, ...STREAMS }),
      { Tty: true },
      { upgrade: true },
    );
    client.socket.end('x');
    const text = await client.untilEnd();
    expect(text).toContain('Content-Type: application/vnd.docker.raw-stream\r\n');
    return text.slice(text.indexOf('\r\n\r\n') + 4);
  };
  expect(await raw(true)).toBe('xbye');
  expect(await raw(false)).toBe('x');
});

test('detached: an empty 200, and its failures have a status', async () => {
  const id = await create({ Cmd: ['cat'] });
  const response = await post(`/exec/${id}/start`, { Detach: true });
  expect([response.status, await response.text()]).toEqual([200, '']);
  const missing = await post(`/exec/${await create({ Cmd: ['nosuch'] })}/start`, { Detach: true });
  expect([missing.status, await missing.json()]).toEqual([
    400,
    { message: 'exec: "nosuch": executable file not found in $PATH' },
  ]);
});

test('attached, a failure is the last line of the output', async () => {
  const client = await start(await create({ Cmd: ['nosuch'], ...STREAMS }), {}, { upgrade: true });
  await client.untilEnd();
  expect(frames(client)).toEqual({ stdout: 'exec: "nosuch": executable file not found in $PATH\r\n' });
  const absent = await start('abc', {}, { upgrade: true });
  expect(await absent.untilEnd()).toContain('{"message":"No such exec instance: abc"}');
});

test('inspect and resize', async () => {
  const id = await create({ Cmd: ['cat', '-n'], User: 'u', DetachKeys: 'ctrl-x', AttachStdout: true });
  await post(`/exec/${id}/start`, { Detach: true });
  expect(await (await server.request(`/exec/${id}/json`)).json()).toEqual({
    ID: id,
    Running: false,
    ExitCode: 0,
    ProcessConfig: { tty: false, entrypoint: 'cat', arguments: ['-n'], privileged: false, user: 'u' },
    OpenStdin: false,
    OpenStderr: false,
    OpenStdout: true,
    CanRemove: false,
    ContainerID: 'box',
    DetachKeys: 'GA==',
    Pid: 4712,
  });
  expect((await server.request(`/exec/${id}/resize?h=3&w=4`, { method: 'POST' })).status).toBe(200);
  expect(server.engine.execs.calls.at(-1)).toEqual(['resize', id, { rows: 3, columns: 4 }]);
  expect((await server.request(`/exec/${id}/resize?h=x&w=4`, { method: 'POST' })).status).toBe(400);
});
