import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({
    mirrors: [registry.url],
    config: {
      'default-shm-size': '8M',
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 321, Hard: 654 } },
      'default-ipc-mode': 'shareable',
      init: true,
      'no-new-privileges': true,
    },
  });
  await engine.pull('busybox');
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const inside = (command: string, ...options: string[]) =>
  engine.out(['run', '--rm', ...options, 'busybox', 'sh', '-c', command]);

test('what daemon.json says is what containers have that say nothing', async () => {
  expect(engine.log).not.toContain('no effect');
  const seen = await inside(
    'df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2; ulimit -n; ulimit -Hn; cat /proc/1/comm; grep NoNewPrivs /proc/self/status',
  );
  expect(seen.split('\n')).toEqual(['8192', '321', '654', 'docker-init', 'NoNewPrivs:\t1']);
});

test('what a container says goes before it', async () => {
  const seen = await inside(
    'df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2; ulimit -n; cat /proc/1/comm; grep NoNewPrivs /proc/self/status',
    '--shm-size=16m',
    '--ulimit=nofile=100:100',
    '--init=false',
    '--security-opt=no-new-privileges=false',
  );
  expect(seen.split('\n')).toEqual(['16384', '100', 'sh', 'NoNewPrivs:\t0']);
});

test('they are shown as Docker shows them, and IPC can be joined', async () => {
  await engine.out(['run', '-d', '--name', 'box', 'busybox', 'sleep', '1000']);
  const shown =
    '{{.HostConfig.IpcMode}} {{.HostConfig.ShmSize}} {{json .HostConfig.Ulimits}} {{json .HostConfig.Init}}';
  expect(await engine.out(['inspect', '-f', shown, 'box'])).toBe(
    'shareable 8388608 [{"Name":"nofile","Hard":654,"Soft":321}] null',
  );
  expect(await inside('echo joined', '--ipc', 'container:box')).toBe('joined');
});

test('a seccomp profile of the daemon holds, but for privileged containers and those with their own', async () => {
  const profile = join(engine.root, 'profile.json');
  const denied = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }];
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: denied }));
  engine.configure({ 'seccomp-profile': profile });
  await engine.restart();
  const make = 'mkdir /x 2>/dev/null && echo made || echo denied';
  expect(await inside(make)).toBe('denied');
  expect(await inside(make, '--privileged')).toBe('made');
  expect(await inside(make, '--security-opt', 'seccomp=unconfined')).toBe('made');
  expect(await inside(make, '--security-opt', 'seccomp=builtin')).toBe('made');
});
