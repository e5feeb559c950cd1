import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { eventually } from '../../support/engine/command.ts';
import { loseHost } from '../../support/engine/host-reboot.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
});
afterEach(async () => {
  await engine.removeContainers();
  const left = () => {
    const { mounts, cgroups, files } = engine.traces();
    const own = mounts.filter((point) => /\/run\/(rootfs|shm|netns)\//.test(point));
    return [...own, ...cgroups, ...files];
  };
  await eventually(() => left().length === 0, { what: () => `nothing to be left: ${left().join(' ')}` });
});
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const owner = (name: string, ...options: string[]) =>
  engine.out(['run', '-d', '--name', name, ...options, 'busybox', 'sleep', '1000']);
const guest = (options: readonly string[], command: string) =>
  engine.out(['run', '--rm', ...options, 'busybox', 'sh', '-c', command]);
const namespaceOf = (pid: string, name: string) =>
  engine.out([
    'run',
    '--rm',
    '--pid',
    'host',
    '--privileged',
    'busybox',
    'readlink',
    `/proc/${pid}/ns/${name}`,
  ]);

test('--network container: one network, one set of files, one name', async () => {
  const id = await owner('net');
  const seen = await guest(['--network', 'container:net'], 'hostname; cat /etc/hosts; ip -o addr show eth0');
  const own = await guest(['--network', `container:${id}`], 'hostname; cat /etc/hosts; ip -o addr show eth0');
  expect(own).toBe(seen);
  const address = await engine.out(['inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'net']);
  expect(seen.split('\n')[0]).toBe(id.slice(0, 12));
  expect(seen).toContain(`inet ${address}/`);
  await engine.out([
    'run',
    '-d',
    '--name',
    'guest',
    '--network',
    'container:net',
    'busybox',
    'sh',
    '-c',
    'nc -l -p 4444 -e echo hello',
  ]);
  const fields =
    '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}} {{json .NetworkSettings.SandboxKey}} {{.Config.Hostname}} {{.HostsPath}}';
  expect(await engine.out(['inspect', '-f', fields, 'guest'])).toBe(
    `container:${id} {} "" ${id.slice(0, 12)} ${await engine.out(['inspect', '-f', '{{.HostsPath}}', 'net'])}`,
  );
  expect(await guest(['--network', 'container:guest'], 'sleep 0.5; nc 127.0.0.1 4444')).toBe('hello');
});

test('--pid container: one process table, and its owner ends them all', async () => {
  await owner('first');
  expect(await guest(['--pid', 'container:first'], 'ps -o args')).toContain('sleep 1000');
  const ids = await engine.out([
    'run',
    '-d',
    '--name',
    'second',
    '--pid',
    'container:first',
    'busybox',
    'sleep',
    '2000',
  ]);
  expect(ids).not.toBe('');
  await engine.out(['kill', 'first']);
  await eventually(
    async () => (await engine.out(['inspect', '-f', '{{.State.ExitCode}}', 'second'])) === '137',
  );
});

test('what joins one that is restarted comes up after it', async () => {
  await owner('first', '--restart', 'always');
  await owner('second', '--restart', 'always', '--pid', 'container:first', '--network', 'container:first');
  const [pid = ''] = (await engine.out(['inspect', '-f', '{{.State.Pid}}', 'first'])).split('\n');
  process.kill(Number(pid), 'SIGKILL');
  const shown = ['inspect', '-f', '{{.State.Status}} {{.RestartCount}}', 'first', 'second'];
  await eventually(async () => (await engine.out(shown)) === 'running 1\nrunning 1', {
    what: () => 'both to run again',
  });
  expect(await guest(['--pid', 'container:second'], 'ps -o args | grep -c "^sleep"')).toBe('2');
});

test('--ipc container: shared memory is one for those that may', async () => {
  const id = await owner('ipc', '--ipc', 'shareable', '--shm-size', '8m');
  await owner('private');
  const shm = 'grep /dev/shm /proc/mounts';
  await guest(['--ipc', 'container:ipc'], 'echo seen > /dev/shm/word');
  expect(await guest(['--ipc', 'container:ipc'], `cat /dev/shm/word; ${shm}`)).toMatch(
    /^seen\nshm \/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=8192k/,
  );
  expect(await engine.out(['inspect', '-f', '{{.HostConfig.IpcMode}}', 'ipc'])).toBe('shareable');
  expect(await guest(['--ipc', 'none'], `${shm} || echo none`)).toBe('none');
  const refused = await engine.run(['run', '--rm', '--ipc', 'container:private', 'busybox', 'true']);
  const privateId = await engine.out(['inspect', '-f', '{{.Id}}', 'private']);
  expect(refused.stderr.split('\n')[0]).toBe(
    `docker: Error response from daemon: failed to join IPC namespace: container ${privateId}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
  // It lives through a daemon, and through a new start of its owner for those who have it.
  await engine.restart('SIGKILL');
  expect(await guest(['--ipc', `container:${id}`], 'cat /dev/shm/word')).toBe('seen');
});

test('the namespaces are the very same', async () => {
  await owner('all', '--ipc', 'shareable');
  const joined = ['--network', 'container:all', '--pid', 'container:all', '--ipc', 'container:all'];
  await engine.out(['run', '-d', '--name', 'joins', ...joined, 'busybox', 'sleep', '1000']);
  const [a = '', b = ''] = (await engine.out(['inspect', '-f', '{{.State.Pid}}', 'all', 'joins'])).split(
    '\n',
  );
  for (const name of ['net', 'pid', 'ipc'])
    expect(await namespaceOf(a, name)).toBe(await namespaceOf(b, name));
  for (const name of ['mnt', 'uts']) expect(await namespaceOf(a, name)).not.toBe(await namespaceOf(b, name));
  await engine.out([
    'run',
    '-d',
    '--name',
    'host',
    '--uts',
    'host',
    '--cgroupns',
    'host',
    '--userns',
    'host',
    '--ipc',
    'host',
    '--pid',
    'host',
    '--network',
    'host',
    'busybox',
    'sleep',
    '1000',
  ]);
  const host = await engine.out(['inspect', '-f', '{{.State.Pid}}', 'host']);
  for (const name of ['uts', 'cgroup', 'user', 'ipc', 'pid', 'net'])
    expect(await namespaceOf(host, name)).toBe(await namespaceOf('1', name));
});

test('what cannot be joined is refused as Docker refuses it', async () => {
  await engine.out(['create', '--name', 'down', 'busybox', 'true']);
  const down = await engine.out(['inspect', '-f', '{{.Id}}', 'down']);
  const refusal = async (...options: string[]) => {
    const { code, stderr } = await engine.run(['run', '--rm', ...options, 'busybox', 'true']);
    return [code, stderr.split('\n')[0]?.replace('docker: Error response from daemon: ', '')];
  };
  expect(await refusal('--network', 'container:nosuch')).toEqual([
    125,
    'joining network namespace of container: No such container: nosuch',
  ]);
  for (const what of ['--pid', '--ipc'])
    expect(await refusal(what, 'container:nosuch')).toEqual([125, 'No such container: nosuch']);
  expect(await refusal('--network', 'container:down')).toEqual([
    125,
    'cannot join network namespace of a non running container: container down is created',
  ]);
  expect(await refusal('--pid', 'container:down')).toEqual([
    125,
    `failed to join PID namespace: container ${down} is not running`,
  ]);
  expect(await refusal('--ipc', 'container:down')).toEqual([
    125,
    `failed to join IPC namespace: container ${down} is not running`,
  ]);
  const conflicts: [string[], string][] = [
    [['--hostname', 'x'], 'hostname and the network mode'],
    [['--dns', '1.1.1.1'], 'dns and the network mode'],
    [['--add-host', 'a:1.1.1.1'], 'custom host-to-IP mapping and the network mode'],
    [['--expose', '80'], 'port exposing and the container type network mode'],
  ];
  for (const [options, reason] of conflicts)
    expect(await refusal('--network', 'container:down', ...options)).toEqual([
      125,
      `conflicting options: ${reason}`,
    ]);
  expect(await refusal('--network', 'container:')).toEqual([
    125,
    'invalid network mode: invalid container format container:<name|id>',
  ]);
});

test('at boot those start first that others join', async () => {
  await owner('z-owner', '--restart', 'always', '--ipc', 'shareable');
  for (const name of ['a', 'b', 'c'])
    await owner(
      `${name}-guest`,
      '--restart',
      'always',
      '--network',
      'container:z-owner',
      '--ipc',
      'container:z-owner',
    );
  await loseHost(engine);
  await engine.start();
  expect((await engine.out(['ps', '--format', '{{.Names}}'])).split('\n').toSorted()).toEqual([
    'a-guest',
    'b-guest',
    'c-guest',
    'z-owner',
  ]);
});
