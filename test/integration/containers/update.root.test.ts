import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let v1 = false;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  v1 = (await engine.out(['info', '-f', '{{.CgroupVersion}}'])) === '1';
});
afterEach(() => engine.removeContainers());
afterAll(async () => {
  await engine.close();
  await registry?.close();
});

const FILES = () =>
  v1
    ? 'memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares cpuset/cpuset.cpus pids/pids.max'
    : 'memory.max cpu.max cpu.weight cpuset.cpus pids.max';

/** A container that prints the limits that it sees of itself, time and again. */
async function watched(...options: string[]): Promise<() => Promise<string[]>> {
  const files = FILES()
    .split(' ')
    .map((file) => `/sys/fs/cgroup/${file}`)
    .join(' ');
  const script = `while true; do cat ${files} > /limits.new; mv /limits.new /limits; sleep 0.05; done`;
  await engine.out(['run', '-d', '--name', 'box', ...options, 'busybox', 'sh', '-c', script]);
  const pid = await engine.out(['inspect', '-f', '{{.State.Pid}}', 'box']);
  return async () => {
    await Bun.sleep(300);
    return (await Bun.file(`/proc/${pid}/root/limits`).text()).trim().split('\n');
  };
}

test('limits of a container that runs are changed, and kept for its next start', async () => {
  const limits = await watched('-m', '64m');
  const { code, stdout } = await engine.run([
    'update',
    '--memory=100m',
    '--memory-swap=200m',
    '--cpus=0.5',
    '--cpu-shares=512',
    '--cpuset-cpus=0',
    '--pids-limit=77',
    'box',
  ]);
  expect([code, stdout]).toEqual([0, 'box\n']);
  const expected = v1
    ? ['104857600', '50000', '512', '0', '77']
    : ['104857600', '50000 100000', '20', '0', '77'];
  expect(await limits()).toEqual(expected);
  // More than the limit of memory and swap was until now: both go up together.
  await engine.out(['update', '-m', '300m', '--memory-swap', '400m', 'box'], { client: 'sampan' });
  expect((await limits())[0]).toBe('314572800');
  await engine.out(['update', '-m', '64m', '--memory-swap', '-1', '--pids-limit', '-1', 'box']);
  expect([(await limits())[0], (await limits())[4]]).toEqual(['67108864', 'max']);
  const shown = await engine.out([
    'inspect',
    '-f',
    '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}}',
    'box',
  ]);
  expect(shown).toBe('67108864 -1 500000000 512 0');
  await engine.restart('SIGKILL');
  await engine.out(['restart', '-t', '0', 'box']);
  expect(
    await engine.out([
      'inspect',
      '-f',
      '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.State.Running}}',
      'box',
    ]),
  ).toBe('67108864 500000000 true');
});

test('a paused one too; the restart policy holds from the next end on, and over a daemon', async () => {
  const limits = await watched();
  await engine.out(['pause', 'box']);
  await engine.out(['update', '--pids-limit', '99', '--restart', 'on-failure:3', 'box']);
  await engine.out(['unpause', 'box']);
  expect((await limits())[4]).toBe('99');
  await engine.restart('SIGKILL');
  const policy = ['inspect', '-f', '{{json .HostConfig.RestartPolicy}} {{.RestartCount}}', 'box'];
  expect(await engine.out(policy)).toBe('{"Name":"on-failure","MaximumRetryCount":3} 0');
  const pid = await engine.out(['inspect', '-f', '{{.State.Pid}}', 'box']);
  process.kill(Number(pid), 'SIGKILL');
  await eventually(async () => (await engine.out(policy)).endsWith(' 1'));
  await engine.out(['update', '--restart', 'no', 'box']);
  expect(await engine.out(policy)).toBe('{"Name":"no","MaximumRetryCount":0} 1');
});

test('refused as Docker refuses it, and nothing is changed by it', async () => {
  await engine.out(['run', '-d', '--name', 'box', '-m', '64m', '--cpus', '1', 'busybox', 'sleep', '1000']);
  await engine.out(['run', '-d', '--rm', '--name', 'gone', 'busybox', 'sleep', '1000']);
  const id = await engine.out(['inspect', '-f', '{{.Id}}', 'box']);
  const gone = await engine.out(['inspect', '-f', '{{.Id}}', 'gone']);
  const before = await engine.out(['inspect', '-f', '{{json .HostConfig}}', 'box']);
  const cannot = `Cannot update container ${id}: `;
  const cases: [string[], string][] = [
    [
      ['-m', '200m', 'box'],
      `${cannot}Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
    ],
    [
      ['--cpu-quota', '5000', 'box'],
      `${cannot}Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set`,
    ],
    [
      ['--cpu-period', '5000', 'box'],
      `${cannot}Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set`,
    ],
    [['-m', '1m', 'box'], 'Minimum memory limit allowed is 6MB'],
    [['--memory-reservation', '1m', 'box'], 'Minimum memory reservation allowed is 6MB'],
    [
      ['--restart', 'foo', 'box'],
      "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    [
      ['--restart', 'no:3', 'box'],
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ],
    [
      ['--restart', 'always', 'gone'],
      `Cannot update container ${gone}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
    ],
    [['-m', '70m', 'nosuch'], 'No such container: nosuch'],
  ];
  for (const client of ['docker', 'sampan'] as const)
    for (const [args, reason] of cases) {
      const { code, stderr } = await engine.run(['update', ...args], { client });
      expect([code, stderr.trim()]).toEqual([1, `Error response from daemon: ${reason}`]);
    }
  expect(await engine.out(['inspect', '-f', '{{json .HostConfig}}', 'box'])).toBe(before);
  const bare = await engine.run(['update', 'box'], { client: 'sampan' });
  expect(bare.stderr).toContain('you must provide one or more flags when using this command');
});

test('what the kernel does not take is taken back', async () => {
  if (!v1) return;
  await engine.out(['run', '-d', '--name', 'box', '-m', '100m', 'busybox', 'sleep', '1000']);
  const { status, body } = await engine.api('POST', '/containers/box/update', { MemorySwap: 52428800 });
  expect([status, body]).toEqual([500, expect.stringContaining('Cannot update container ')]);
  expect(await engine.out(['inspect', '-f', '{{.HostConfig.MemorySwap}}', 'box'])).toBe('209715200');
});
