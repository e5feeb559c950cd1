import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DoctorCheck, DoctorReport } from '../../../src/wire/doctor.ts';
import { must, run } from '../../support/engine/command.ts';
import { cgroupTree } from '../../support/engine/host-traces.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

const sampand = resolve(import.meta.dir, '../../../bin/sampand');
let registry: SeedRegistry | undefined;
let engine: TestDaemon;

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({
    driver: 'overlay',
    runtime: 'runc',
    mirrors: [registry.url, 'http://127.0.0.1:9'],
    config: { experimental: true },
  });
}, 60_000);
afterAll(async () => {
  await engine.close();
  await registry?.close();
}, 60_000);

/** Of the running daemon, as it stands on the wire. */
async function asked(): Promise<DoctorReport> {
  const { status, body } = await engine.api('GET', '/doctor');
  expect(status).toBe(200);
  return JSON.parse(body) as DoctorReport;
}

/** Without it. */
async function local(args: string[] = []): Promise<{ code: number; report: DoctorReport }> {
  const { code, stdout, stderr } = await run([sampand, 'doctor', '--json', ...engine.arguments, ...args]);
  expect(stderr).toBe('');
  return { code, report: JSON.parse(stdout) as DoctorReport };
}

function check({ Checks }: DoctorReport, name: string): DoctorCheck {
  const found = Checks.find(({ Name }) => Name === name);
  if (found === undefined)
    throw new Error(`No check ${name} among ${Checks.map(({ Name }) => Name).join(', ')}`);
  return found;
}

/** What a look may not leave: mounts, cgroups, files. */
function traces() {
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    cgroups: cgroupTree('/sys/fs/cgroup').filter((path) => path.includes('sampan-doctor')),
    run: readdirSync('/run').filter((name) => name.includes('doctor')),
    data: readdirSync(engine.dataRoot).filter((name) => name.startsWith('probe')),
    layers: readdirSync(`${engine.dataRoot}/layers`),
  };
}

test('a running daemon tells what it uses, why, what that costs and what betters it', async () => {
  const report = await asked();
  expect(report).toMatchObject({ Version: 1, EngineVersion: '0.1.0', Running: true, State: 'warning' });
  expect(check(report, 'storage')).toMatchObject({
    State: 'note',
    Found: 'overlay, because storage-driver asks for it',
    Cost: expect.stringContaining('unpacked'),
    Advice: expect.stringContaining('take storage-driver out of'),
  });
  expect(check(report, 'runtime')).toMatchObject({ State: 'note', Found: expect.stringMatching(/^runc \d/) });
  expect(check(report, 'configuration').Details).toEqual([expect.stringContaining('experimental')]);
  expect(check(report, 'kernel').State).toBe('ok');
  const mirrors = report.Checks.filter(({ Name }) => Name === 'mirror');
  expect(mirrors.map(({ Subject, State }) => [Subject, State])).toEqual([
    [`${registry?.url}/v2/`, 'ok'],
    ['http://127.0.0.1:9/v2/', 'warning'],
  ]);
  expect(mirrors[1]?.Found).toContain('connect: connection refused');
});

test("somebody else's drop is found, with the rule that lets containers through", async () => {
  await must(['nft', 'add', 'table', 'inet', 'strict']);
  try {
    await must([
      'nft',
      'add',
      'chain',
      'inet',
      'strict',
      'f',
      '{ type filter hook forward priority 0; policy drop; }',
    ]);
    const found = check(await asked(), 'firewall');
    expect(found).toMatchObject({
      State: 'warning',
      Found: 'nftables chain "inet strict f" drops forwarded packets',
    });
    await must(['sh', '-ec', found.Command]);
    const rules = await must(['nft', 'list', 'chain', 'inet', 'strict', 'f']);
    expect(rules).toMatch(/iifname "\S+" accept/);
    expect(rules).toMatch(/oifname "\S+" accept/);
  } finally {
    await must(['nft', 'delete', 'table', 'inet', 'strict']);
  }
  expect(check(await asked(), 'firewall').State).toBe('ok');
});

test('beside a daemon, and without one, the machine is looked at and nothing stays', async () => {
  const before = traces();
  const beside = await local(['--socket', engine.socket]);
  expect(check(beside.report, 'daemon')).toMatchObject({
    State: 'ok',
    Found: `a daemon answers at ${engine.socket}`,
  });
  expect(traces()).toEqual(before);
  await engine.stop();
  const without = traces();
  const { code, report } = await local();
  expect([code, report.Running, report.State]).toEqual([1, false, 'failure']);
  expect(check(report, 'daemon')).toMatchObject({
    State: 'failure',
    Found: `no daemon runs: nobody listens at ${engine.socket}`,
  });
  expect(check(report, 'storage').Found).toBe('overlay, because storage-driver asks for it');
  expect(check(report, 'runtime').Found).toMatch(/^runc \d/);
  expect(traces()).toEqual(without);
});

test('a configuration that the daemon refuses is what the report begins with', async () => {
  engine.configure({ 'no-such-key': 1 });
  const refused = await local();
  expect(refused.code).toBe(1);
  expect(refused.report.Checks[0]).toMatchObject({
    Name: 'configuration',
    State: 'failure',
    Found: expect.stringContaining("don't match any configuration option: no-such-key"),
  });
  engine.configure({});
});

test('a daemon that hangs is told of, with its process', async () => {
  await engine.start();
  process.kill(engine.pid, 'SIGSTOP');
  try {
    const { report } = await local();
    expect(check(report, 'daemon')).toMatchObject({
      State: 'failure',
      Found: `process ${engine.pid} runs and does not answer at ${engine.socket}`,
    });
  } finally {
    process.kill(engine.pid, 'SIGCONT');
  }
}, 40_000);

test('our client hands over where nobody answers, and its status tells', async () => {
  await engine.stop();
  const { code, stdout } = await engine.run(['doctor'], { client: 'sampan' });
  expect(code).toBe(1);
  expect(stdout).toContain(`no daemon runs: nobody listens at ${engine.socket}`);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});
