import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { type ClientName, startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// Answers of Docker 28.5 to the same words.
let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const CLIENTS: ClientName[] = ['docker', 'sampan'];

test.each(CLIENTS)('%s: exit codes of run', async (client) => {
  const code = async (...args: string[]) => (await engine.run(['run', '--rm', ...args], { client })).code;
  expect(await code('busybox', 'sh', '-c', 'exit 7')).toBe(7);
  expect(await code('busybox', 'nosuch')).toBe(127);
  expect(await code('busybox', '/etc/passwd')).toBe(126);
  expect(await code('busybox', 'sh', '-c', 'sh -c "kill -9 \\$\\$"; exit $?')).toBe(137);
  expect(await code('--nosuchflag', 'busybox', 'true')).toBe(125);
  expect(await code('--pull', 'never', 'nosuchimage:1', 'true')).toBe(125);
});

test.each(CLIENTS)('%s: stop signal and time of the container', async (client) => {
  const script = 'trap "exit 9" USR1; while true; do sleep 0.1; done';
  await engine.out(
    [
      'run',
      '-d',
      '--name',
      'own',
      '--stop-signal',
      'USR1',
      '--stop-timeout',
      '30',
      'busybox',
      'sh',
      '-c',
      script,
    ],
    { client },
  );
  await Bun.sleep(500);
  await engine.out(['stop', 'own'], { client });
  expect(await engine.out(['wait', 'own'], { client })).toBe('9');
});

test.each(CLIENTS)('%s: rm of several goes on after one that is not there', async (client) => {
  await engine.out(['create', '--name', 'one', 'busybox', 'true'], { client });
  await engine.out(['create', '--name', 'two', 'busybox', 'true'], { client });
  const { code, stdout, stderr } = await engine.run(['rm', 'one', 'nosuch', 'two'], { client });
  expect([code, stdout, stderr.trim()]).toEqual([
    1,
    'one\ntwo\n',
    'Error response from daemon: No such container: nosuch',
  ]);
  expect((await engine.run(['rm', '-f', 'nosuch'], { client })).code).toBe(0);
});

test.each(CLIENTS)('%s: rm of a link, where there is none', async (client) => {
  await engine.out(['create', '--name', 'own', 'busybox', 'true'], { client });
  const refusal = async (name: string) =>
    (await engine.run(['rm', '-l', name], { client })).stderr
      .trim()
      .replace('Error response from daemon: ', '');
  expect(await refusal('own')).toBe('Conflict, cannot remove the default link name of the container');
  expect(await refusal('own/alias')).toBe('No such container: own/alias');
  expect(await refusal('nosuch')).toBe('No such container: nosuch');
});

test('every filter of ps', async () => {
  await engine.out(['create', '--name', 'first', '--label', 'a=b', 'busybox', 'true']);
  await engine.run(['run', '--name', 'second', '--label', 'a=c', 'busybox', 'sh', '-c', 'exit 7']);
  await engine.out([
    'run',
    '-d',
    '--name',
    'third',
    '--expose',
    '90',
    '-v',
    '/data',
    'busybox',
    'sleep',
    '1000',
  ]);
  const names = async (filter: string) =>
    (await engine.out(['ps', '-a', '--filter', filter, '--format', '{{.Names}}']))
      .split('\n')
      .toSorted()
      .join(' ');
  const all = 'first second third';
  const expected: Record<string, string> = {
    'ancestor=busybox': all,
    'before=third': 'first second',
    'since=first': 'second third',
    'exited=7': 'second',
    'expose=90': 'third',
    'expose=80-100/tcp': 'third',
    'health=none': all,
    'id=zz': '',
    'is-task=false': all,
    'is-task=true': '',
    'isolation=hyperv': all,
    'label=a': 'first second',
    'label=a=b': 'first',
    'name=ir': 'first third',
    'name=^/second$': 'second',
    'network=bridge': all,
    'network=host': '',
    'publish=80': '',
    'status=created': 'first',
    'status=exited': 'second',
    'status=running': 'third',
    'volume=/data': 'third',
    'volume=nosuch': '',
  };
  const seen: Record<string, string> = {};
  for (const filter of Object.keys(expected)) seen[filter] = await names(filter);
  expect(seen).toEqual(expected);
});

test('a start that is refused keeps the last exit, where there was one', async () => {
  const state = (name: string) =>
    engine.out(['inspect', '-f', '{{.State.ExitCode}} {{.State.Status}}', name]);
  await engine.out(['run', '-d', '--name', 'holder', '-p', '18080:80', 'busybox', 'sleep', '1000']);
  for (const [name, script, kept] of [
    ['failed', 'exit 3', 3],
    ['fine', 'true', 128],
  ] as const) {
    await engine.out(['create', '--name', name, '-p', '18080:80', 'busybox', 'sh', '-c', script]);
    await engine.out(['kill', 'holder']);
    await engine.run(['start', '-a', name]);
    await engine.out(['start', 'holder']);
    expect((await engine.run(['start', name])).stderr).toContain('18080');
    expect(await state(name)).toBe(`${kept} exited`);
  }
  expect(await state('failed')).toBe('3 exited');
}, 60_000);

test('what was never started has the root of every container, and nothing written', async () => {
  await engine.out(['create', '--name', 'fresh', 'busybox', 'true']);
  const size = () => engine.out(['inspect', '-s', '-f', '{{.SizeRw}}', 'fresh']);
  expect(await size()).toBe('0');
  const exported = ['sh', '-c', '"$@" | tar t', 'sh', ...engine.command(['export', 'fresh'])];
  const names = (await must(exported, { env: engine.env })).split('\n');
  // As `docker export` has it of a container that was only created.
  const own = ['.dockerenv', 'dev/console', 'dev/pts/', 'dev/shm/', 'etc/hostname', 'etc/hosts', 'etc/mtab'];
  for (const name of [...own, 'etc/resolv.conf', 'proc/', 'sys/']) expect(names).toContain(name);
  expect(
    await must(['sh', '-c', '"$@" | tar t', 'sh', ...engine.command(['cp', 'fresh:/dev', '-'])], {
      env: engine.env,
    }),
  ).toContain('dev/shm/');
  expect(await size()).toBe('0');
  await engine.out(['start', '-a', 'fresh']);
  expect(await size()).toBe('0');
}, 30_000);

test('a signal that is none is told of only where there is something to send it to', async () => {
  await engine.out(['create', '--name', 'idle', 'busybox', 'sleep', '1000']);
  expect((await engine.api('POST', '/containers/idle/stop?signal=BAD')).status).toBe(304);
  await engine.out(['start', 'idle']);
  const { status, body } = await engine.api('POST', '/containers/idle/stop?signal=BAD');
  expect([status, JSON.parse(body)]).toEqual([
    400,
    { message: 'cannot stop container: idle: invalid signal: BAD' },
  ]);
});

test.each(CLIENTS)('%s: what was killed has ended, and can be removed', async (client) => {
  for (let round = 0; round < 5; round++) {
    await engine.out(['run', '-d', '--name', 'victim', 'busybox', 'sleep', '1000'], { client });
    await engine.out(['kill', 'victim'], { client });
    expect(await engine.out(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'victim'])).toBe(
      'exited 137',
    );
    await engine.out(['rm', 'victim'], { client });
  }
});

test('a commit of a container that just ends is made', async () => {
  for (let round = 0; round < 10; round++) {
    await engine.out(['run', '-d', '--name', 'short', 'busybox', 'sh', '-c', 'echo x > /file']);
    const { status, body } = await engine.api('POST', '/commit?container=short&pause=1');
    expect([status, status === 201 ? '' : body]).toEqual([201, '']);
    await engine.out(['rmi', (JSON.parse(body) as { Id: string }).Id]);
    await engine.out(['rm', '-f', 'short']);
  }
}, 60_000);

test("Docker's names for its default runtime are names of ours", async () => {
  for (const name of ['runc', 'io.containerd.runc.v2'])
    expect(await engine.out(['run', '--rm', '--runtime', name, 'busybox', 'echo', 'x'])).toBe('x');
});
