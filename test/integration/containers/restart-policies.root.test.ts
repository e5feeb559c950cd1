import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { join, resolve } from 'node:path';
import { eventually, must } from '../../support/engine/command.ts';
import { loseHost } from '../../support/engine/host-reboot.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  // As systemd starts a service that tells when it is ready.
  const env = { NOTIFY_SOCKET: '/run/sampan-test-nobody' };
  engine = await startDaemon({ mirrors: [registry.url], env });
  await engine.pull('busybox');
});
afterEach(async () => {
  await engine.removeContainers();
  const left = () => {
    const { mounts, cgroups, files } = engine.traces();
    return [...mounts.filter((point) => point.startsWith(`${engine.execRoot}/rootfs`)), ...cgroups, ...files];
  };
  await eventually(() => left().length === 0, { what: () => `nothing to be left: ${left().join(' ')}` });
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const SHOWN =
  '{{.State.Status}} {{.State.Running}} {{.State.Restarting}} {{.State.ExitCode}} {{.RestartCount}}';

const show = (name: string) => engine.out(['inspect', '-f', SHOWN, name]);

async function until(name: string, pattern: RegExp): Promise<void> {
  let last = '';
  await eventually(
    async () => {
      last = await show(name);
      return pattern.test(last);
    },
    { timeoutMs: 20_000, what: () => `${name} to be ${pattern}; it is ${last}` },
  );
}

async function runWith(policy: string, name: string, command: string): Promise<void> {
  await engine.out(['run', '-d', '--restart', policy, '--name', name, 'busybox', 'sh', '-c', command]);
}

test('always: restarting is shown as Docker shows it, and every word at it is answered so', async () => {
  await runWith('always', 'loop', 'exit 3');
  // From the fifth start on there is a second and more between two.
  await until('loop', /^restarting true true 3 [5-9]$/);
  expect(await engine.out(['ps', '--format', '{{.State}}|{{.Status}}'])).toMatch(
    /^restarting\|Restarting \(3\) (Less than a second|\d+ seconds?) ago$/,
  );
  expect(await engine.out(['ps', '-q', '--filter', 'status=restarting'])).not.toBe('');
  const id = await engine.out(['inspect', '-f', '{{.Id}}', 'loop']);
  const removal = await engine.run(['rm', 'loop']);
  expect([removal.code, removal.stderr.trim()]).toEqual([
    1,
    'Error response from daemon: cannot remove container "loop": container is restarting: stop the container before removing or force remove',
  ]);
  for (const verb of ['pause', 'top'])
    expect((await engine.run([verb, 'loop'])).stderr.trim()).toBe(
      `Error response from daemon: Container ${id} is restarting, wait until the container is running`,
    );
  expect((await engine.run(['attach', 'loop'])).stderr.trim()).toBe(
    'You cannot attach to a restarting container, wait until it is running',
  );
  expect((await engine.api('POST', '/containers/loop/start')).status).toBe(304);
  await engine.out(['rename', 'loop', 'other']);
  await engine.out(['kill', 'other']);
  expect(await show('other')).toMatch(/^exited false false 3 \d$/);
  await engine.out(['start', 'other']);
  await until('other', /^restarting true true 3 [1-9]$/);
  await engine.out(['stop', 'other']);
  expect(await show('other')).toMatch(/^exited false false 3 \d$/);
});

test('on-failure:2: events, counts, and a wait that ends with the first run', async () => {
  const since = String(Math.floor(Date.now() / 1000) - 1);
  await runWith('on-failure:2', 'tries', 'sleep 0.4; exit 4');
  expect(await engine.out(['wait', 'tries'])).toBe('4');
  await until('tries', /^exited false false 4 2$/);
  const events = await engine.out([
    'events',
    '--since',
    since,
    '--until',
    String(Math.ceil(Date.now() / 1000) + 1),
    '--filter',
    'container=tries',
    '--format',
    '{{.Action}}',
  ]);
  expect(events.split('\n')).toEqual(['create', 'start', 'die', 'start', 'die', 'start', 'die']);
  const attached = await engine.run([
    'run',
    '--restart',
    'on-failure:1',
    '--name',
    'front',
    'busybox',
    'sh',
    '-c',
    'echo once; exit 5',
  ]);
  expect([attached.code, attached.stdout]).toEqual([5, 'once\n']);
});

test('refused as Docker refuses them', async () => {
  const refusal = async (...options: string[]) =>
    (await engine.run(['run', '-d', ...options, 'busybox', 'true'])).stderr.split('\n')[0];
  expect(await refusal('--restart', 'on-failure:-1')).toBe(
    'docker: Error response from daemon: invalid restart policy: maximum retry count cannot be negative',
  );
  for (const policy of ['always:3', 'no:2'])
    expect(await refusal('--restart', policy)).toBe(
      "docker: Error response from daemon: invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  expect(await refusal('--restart', 'foo')).toBe(
    "docker: Error response from daemon: invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  );
  const body = { Image: 'busybox', HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } } };
  const { status, body: answer } = await engine.api('POST', '/containers/create', body);
  expect([status, JSON.parse(answer)]).toEqual([
    400,
    { message: "can't create 'AutoRemove' container with restart policy" },
  ]);
});

test('kill -9 of the daemon in every state', async () => {
  await runWith('always', 'runs', 'sleep 1000');
  await runWith('always', 'ends-meanwhile', 'sleep 1.5; exit 6');
  await runWith('always', 'between', 'exit 3');
  await runWith('always', 'stopped', 'sleep 1000');
  await runWith('unless-stopped', 'stays', 'sleep 1000');
  await engine.out(['create', '--restart', 'always', '--name', 'fresh', 'busybox', 'true']);
  await runWith('always', 'paused', 'sleep 1000');
  await engine.out(['stop', '-t', '0', 'stopped', 'stays']);
  await engine.out(['pause', 'paused']);
  await until('between', /^restarting true true 3 [5-9]$/);
  const pid = await engine.out(['inspect', '-f', '{{.State.Pid}}', 'runs']);
  await engine.stop('SIGKILL');
  await Bun.sleep(2000);
  await engine.start();
  expect(await engine.out(['inspect', '-f', '{{.State.Pid}}', 'runs'])).toBe(pid);
  await until('ends-meanwhile', /^running true false 0 [1-9]$/);
  await until('between', /^restarting true true 3 \d+$/);
  expect(await show('stopped')).toBe('running true false 0 0');
  expect(await show('stays')).toBe('exited false false 137 0');
  expect(await show('fresh')).toBe('created false false 0 0');
  expect(await show('paused')).toBe('paused true false 0 0');
});

test('a stop that the daemon was killed in ends with SIGKILL after its time', async () => {
  await runWith('always', 'deaf', "trap '' TERM; while true; do sleep 0.1; done");
  await Bun.sleep(300);
  const stop = engine.startCommand(['stop', '-t', '2', 'deaf']);
  await Bun.sleep(700);
  await engine.stop('SIGKILL');
  await stop.end();
  await engine.start();
  await until('deaf', /^exited false false 137 0$/);
});

test('after the machine went down, what the policies say', async () => {
  await runWith('always', 'always', 'sleep 1000');
  await runWith('unless-stopped', 'unless', 'sleep 1000');
  await runWith('on-failure', 'failure', 'sleep 1000');
  await runWith('no', 'plain', 'sleep 1000');
  await runWith('always', 'always-stopped', 'sleep 1000');
  await runWith('unless-stopped', 'unless-stopped', 'sleep 1000');
  await runWith('on-failure', 'done', 'exit 0');
  await engine.out(['run', '-d', '--rm', '--name', 'gone', 'busybox', 'sleep', '1000']);
  await engine.out(['stop', '-t', '0', 'always-stopped', 'unless-stopped']);
  await until('done', /^exited/);
  await loseHost(engine);
  await engine.start();
  const states = await engine.out(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
  expect(states.split('\n').toSorted()).toEqual([
    'always running',
    'always-stopped running',
    'done exited',
    'failure running',
    'plain exited',
    'unless running',
    'unless-stopped exited',
  ]);
  expect(await show('plain')).toBe('exited false false 255 0');
  const addresses = await engine.out([
    'inspect',
    '-f',
    '{{.NetworkSettings.IPAddress}}',
    'always',
    'unless',
    'failure',
  ]);
  expect(new Set(addresses.split('\n')).size).toBe(3);
});

const sampand = resolve(import.meta.dir, '../../../bin/sampand');
/** The flags of the daemon in question, which are looked for by pid file and roots. */
const rootsOf = ({ dataRoot, execRoot, root, configFile }: TestDaemon) => [
  `--data-root=${dataRoot}`,
  `--exec-root=${execRoot}`,
  `--pidfile=${join(root, 'pid')}`,
  `--config-file=${configFile}`,
];
const onSignal = (name: string, act: string) =>
  `trap '${act}' ${name}; echo ready; while :; do sleep 0.1; done`;

test('as the machine goes down each stops by its own signal, and at the next boot the policies hold', async () => {
  await runWith('always', 'always', onSignal('TERM', 'exit 3'));
  await runWith('unless-stopped', 'unless', onSignal('TERM', 'exit 0'));
  await runWith('on-failure', 'failure', onSignal('TERM', 'exit 4'));
  await runWith('on-failure', 'success', onSignal('TERM', 'exit 0'));
  await engine.out(
    ['run', '-d', '--stop-signal', 'INT', '--name', 'plain', 'busybox', 'sh', '-c'].concat(
      onSignal('INT', 'exit 5'),
    ),
  );
  await engine.out(['run', '-d', '--stop-timeout', '1', '--name', 'deaf', 'busybox', 'sleep', '1000']);
  await runWith('unless-stopped', 'unless-stopped', 'sleep 1000');
  await engine.out(['stop', '-t', '0', 'unless-stopped']);
  await runWith('always', 'loop', 'exit 6');
  await until('loop', /^restarting true true 6 [4-9]$/);
  for (const name of ['always', 'unless', 'failure', 'success', 'plain'])
    await eventually(async () => (await engine.out(['logs', name])) === 'ready');

  await must([sampand, 'shutdown', ...rootsOf(engine)]);
  expect(await engine.out(['ps', '-q', '--filter', 'status=running'])).toBe('');
  for (const [name, code] of Object.entries({ always: 3, unless: 0, failure: 4, plain: 5, deaf: 137 }))
    expect(await show(name)).toBe(`exited false false ${code} 0`);

  await loseHost(engine);
  await engine.start();
  const states = await engine.out(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
  expect(
    states
      .split('\n')
      .filter((line) => !line.startsWith('loop'))
      .toSorted(),
  ).toEqual([
    'always running',
    'deaf exited',
    'failure running',
    'plain exited',
    'success exited',
    'unless running',
    'unless-stopped exited',
  ]);
  await until('loop', /^restarting /);
  expect(await show('plain')).toBe('exited false false 5 0');
});

test('as the machine goes down without a daemon, containers are asked to end', async () => {
  await engine.out(['run', '-d', '--name', 'plain', 'busybox', 'sh', '-c', onSignal('TERM', 'exit 0')]);
  await eventually(async () => (await engine.out(['logs', 'plain'])) === 'ready');
  await engine.stop();
  await must([sampand, 'shutdown', ...rootsOf(engine)]);
  await engine.start();
  expect(await show('plain')).toBe('exited false false 0 0');
});
