import { afterAll, beforeAll, expect, test } from 'bun:test';
import { createServer, type Server } from 'node:net';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let server: Server;
let received = '';

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      received += data.toString();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.close();
  await engine.close();
  await registry?.close();
});

const network = ['--network', 'none'];
const COUNTING = 'i=0; while true; do echo line $i; i=$((i+1)); usleep 5000; done';
const messages = () => received.split('\n').filter(Boolean);

test('syslog has each line, also when the daemon is killed; logs shows them all the same', async () => {
  const { port } = server.address() as { port: number };
  const options = [
    '--log-driver',
    'syslog',
    '--log-opt',
    `syslog-address=tcp://127.0.0.1:${port}`,
    '--log-opt',
    'tag={{.Name}}',
  ];
  await engine.out(['run', '-d', '--name', 'many', ...network, ...options, 'busybox', 'sh', '-c', COUNTING]);
  await eventually(() => messages().length > 50, { what: () => `messages, not ${received}` });
  await engine.restart('SIGKILL');
  await eventually(() => messages().some((text) => text.endsWith(': line 300')), { timeoutMs: 30_000 });
  await engine.out(['kill', 'many']);
  const logged = (await engine.out(['logs', 'many'])).split('\n');
  expect(logged).toEqual(logged.map((_, at) => `line ${at}`));
  await eventually(() => messages().some((text) => text.endsWith(`: ${logged.at(-1)}`)));
  const sent = messages().map((text) => /^<30>\w+ +\d+ [\d:]+ many\[\d+\]: (.*)$/.exec(text)?.[1] ?? text);
  // A daemon that is killed may have sent what it had not noted yet.
  expect([...new Set(sent)]).toEqual(logged);
  expect(sent.length - logged.length).toBeLessThan(20);
});

test('a short life with --rm is sent whole before its files go', async () => {
  received = '';
  const { port } = server.address() as { port: number };
  const options = ['--log-driver', 'syslog', '--log-opt', `syslog-address=tcp://127.0.0.1:${port}`];
  await engine.out(['run', '--rm', ...network, ...options, 'busybox', 'sh', '-c', 'echo one; echo two']);
  await eventually(() => messages().length === 2);
  expect(messages().map((text) => text.split(': ')[1])).toEqual(['one', 'two']);
});

test('a driver whose service is not there keeps a container from its start, as in Docker', async () => {
  const { code, stderr } = await engine.run([
    'run',
    '--rm',
    ...network,
    '--log-driver',
    'syslog',
    '--log-opt',
    'syslog-address=tcp://127.0.0.1:1',
    'busybox',
    'true',
  ]);
  expect([code, stderr.split('\n')[0]]).toEqual([
    125,
    'docker: Error response from daemon: failed to create task for container: failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused',
  ]);
});
