import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { eventually, must, run, start } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { OutsideHost } from './outside-host.ts';

let registry: SeedRegistry | undefined;
let engine: TestDaemon;
let outside: OutsideHost;

/** Of the machine, as the outside host sees it. */
const HOST = { v4: '198.51.100.1', v6: 'fd00:51::1' };
const SHARED = ['--label', 'com.sampan.publish.shared=true'];

beforeAll(async () => {
  registry = await startSeedRegistry();
  engine = await startDaemon({ mirrors: [registry.url] });
  await engine.pull('busybox');
  outside = await OutsideHost.join({
    name: 'out1',
    machine: [`${HOST.v4}/24`, `${HOST.v6}/64`],
    host: ['198.51.100.2/24', 'fd00:51::2/64'],
  });
  await engine.out(['network', 'create', '--ipv6', '--subnet', 'fd00:78::/64', 'both']);
});
afterEach(async () => {
  await engine.removeContainers();
  await eventually(async () => (await targets()).length === 0, { what: () => 'no chain of a shared port' });
});
afterAll(async () => {
  await engine.run(['network', 'rm', 'both']);
  await engine.close();
  await outside.close();
  await registry?.close();
});

/** Each connection is told the name, and then what it says. */
const serving = (name: string) => `trap '' TERM; nc -ll -p 80 -e sh -c 'echo ${name}; exec cat' & wait; wait`;
const server = (name: string, options: readonly string[] = []) =>
  engine.out([
    'run',
    '-d',
    '--name',
    name,
    '--network',
    'both',
    '-p',
    '8080:80',
    ...SHARED,
    ...options,
    'busybox',
    'sh',
    '-c',
    serving(name),
  ]);

/** Whom so many connections came to, in order; '' for one that came to nobody. */
async function ask(address: string, count: number, prefix: readonly string[] = []): Promise<string[]> {
  const answers: string[] = [];
  for (let at = 0; at < count; at++) {
    const { stdout } = await run([...prefix, 'busybox', 'nc', '-w', '2', address, '8080'], { stdin: '' });
    answers.push(stdout.trim());
  }
  return answers;
}

/** How many came to each. */
async function spread(address: string, count: number, prefix: readonly string[] = []): Promise<string> {
  const answers = await ask(address, count, prefix);
  const names = [...new Set(answers)].toSorted();
  return names.map((name) => `${name}:${answers.filter((one) => one === name).length}`).join(' ');
}

/** The rules of shared ports, one a family. */
async function targets(): Promise<string[]> {
  const rules = await must(['nft', 'list', 'ruleset']);
  return [...rules.matchAll(/chain shared\d_tcp_8080_any \{\s*([^}]*\}?)/g)].map(([, rule = '']) =>
    rule.trim(),
  );
}

const isServed = async (name: string) => {
  await eventually(async () => (await ask(HOST.v4, 4)).includes(name), {
    what: () => `connections to ${name}`,
  });
};

test('connections to a shared port are spread by the kernel and by the helper, in both families', async () => {
  await server('aa');
  await server('bb');
  await engine.out([
    'run',
    '-d',
    '--name',
    'cc',
    '--network',
    'both',
    ...SHARED,
    '-p',
    '8080:80',
    'busybox',
    'sh',
    '-c',
    serving('cc'),
  ]);
  for (const name of ['aa', 'bb', 'cc']) await isServed(name);
  expect(await targets()).toHaveLength(2);
  for (const address of [HOST.v4, HOST.v6]) {
    expect([address, await spread(address, 9, outside.prefix)]).toEqual([address, 'aa:3 bb:3 cc:3']);
    expect([address, await spread(address, 9)]).toEqual([address, 'aa:3 bb:3 cc:3']);
  }
  expect(await spread('127.0.0.1', 9)).toBe('aa:3 bb:3 cc:3');
  // By the helper: the kernel routes nothing of it.
  expect(await spread('::1', 9)).toBe('aa:3 bb:3 cc:3');
  expect(await engine.out(['ps', '--format', '{{.Names}} {{.Ports}}'])).toBe(
    ['cc', 'bb', 'aa'].map((name) => `${name} 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`).join('\n'),
  );
  // The helper has the same set when there are no rules, and these come back whole.
  await must(['nft', 'flush', 'ruleset']);
  expect(await spread('127.0.0.1', 9)).toBe('aa:3 bb:3 cc:3');
  await eventually(async () => (await targets()).length === 2, {
    timeoutMs: 10_000,
    what: () => 'the rules again',
  });
  expect(await spread(HOST.v4, 9, outside.prefix)).toBe('aa:3 bb:3 cc:3');
  await engine.stop('SIGKILL');
  expect(await spread(HOST.v4, 9, outside.prefix)).toBe('aa:3 bb:3 cc:3');
  await engine.start();
  expect(await spread(HOST.v4, 9, outside.prefix)).toBe('aa:3 bb:3 cc:3');
  expect(await spread('::1', 9)).toBe('aa:3 bb:3 cc:3');
  await engine.out(['rm', '-f', 'aa']);
  expect(await spread('::1', 4)).toBe('bb:2 cc:2');
  expect(await spread(HOST.v6, 4, outside.prefix)).toBe('bb:2 cc:2');
}, 120_000);

test('who does not share is refused, either way round', async () => {
  await server('aa');
  const plain = await engine.run(['run', '--name', 'bb', '-p', '8080:80', 'busybox', 'true']);
  expect(plain.stderr).toContain('Bind for 0.0.0.0:8080 failed: port is already allocated (by container aa)');
  await engine.out(['rm', '-f', 'aa', 'bb']);
  await engine.out(['run', '-d', '--name', 'aa', '-p', '8080:80', 'busybox', 'sleep', '1000']);
  const shared = await engine.run(
    ['run', '--name', 'bb', '--publish-shared', '-p', '8080:80', 'busybox', 'true'],
    { client: 'sampan' },
  );
  expect(shared.stderr).toContain('port is already allocated (by container aa)');
  expect(shared.stderr).toContain('--publish-shared');
  expect(await engine.out(['inspect', '-f', '{{json .Config.Labels}}', 'bb'])).toBe(
    '{"com.sampan.publish.shared":"true"}',
  );
}, 60_000);

test('who is starting, unhealthy or paused gets no new connections', async () => {
  const checked = ['--health-cmd', 'test -e /ok', '--health-interval', '100ms', '--health-retries', '1'];
  await server('aa', [...checked, '--health-start-period', '1h', '--health-start-interval', '100ms']);
  // Nobody is healthy: refused, by the kernel's way and by the helper's.
  expect(await ask(HOST.v4, 2, outside.prefix)).toEqual(['', '']);
  expect(await ask('::1', 2)).toEqual(['', '']);
  await server('bb');
  await isServed('bb');
  expect(await spread(HOST.v4, 4, outside.prefix)).toBe('bb:4');
  await engine.out(['exec', 'aa', 'touch', '/ok']);
  await isServed('aa');
  expect(await spread(HOST.v4, 4, outside.prefix)).toBe('aa:2 bb:2');
  await engine.out(['exec', 'aa', 'rm', '/ok']);
  await eventually(
    async () => (await engine.out(['inspect', '-f', '{{.State.Health.Status}}', 'aa'])) === 'unhealthy',
  );
  await eventually(async () => (await spread(HOST.v4, 4)) === 'bb:4', { what: () => 'all to come to b' });
  // The helper is told just after the kernel.
  await eventually(async () => (await spread('::1', 4)) === 'bb:4', { what: () => 'the helper to know' });
  // A later daemon knows it, too.
  await engine.restart('SIGKILL');
  expect(await spread(HOST.v6, 4, outside.prefix)).toBe('bb:4');
  await engine.out(['exec', 'aa', 'touch', '/ok']);
  await isServed('aa');
  await engine.out(['pause', 'bb']);
  expect(await spread(HOST.v4, 4, outside.prefix)).toBe('aa:4');
  await engine.out(['unpause', 'bb']);
  await isServed('bb');
}, 120_000);

test('from when a stop begins others get the new connections, and what is established goes on', async () => {
  await server('aa');
  await isServed('aa');
  const streams = [];
  for (const address of [HOST.v4, '::1']) {
    const stream = start([...(address === '::1' ? [] : outside.prefix), 'busybox', 'nc', address, '8080']);
    await stream.until(/aa/);
    streams.push(stream);
  }
  await server('bb');
  await isServed('bb');
  const stopping = engine.startCommand(['stop', '-t', '8', 'aa']);
  await eventually(async () => (await spread(HOST.v4, 4, outside.prefix)) === 'bb:4', {
    what: () => 'all to come to b',
  });
  expect(await spread('::1', 4)).toBe('bb:4');
  expect(await engine.out(['inspect', '-f', '{{.State.Running}}', 'aa'])).toBe('true');
  for (const stream of streams) {
    void stream.child.stdin.write('still here\n');
    void stream.child.stdin.flush();
    await stream.until(/still here/);
  }
  await stopping.end();
  for (const stream of streams) stream.child.kill('SIGKILL');
  expect(await spread('::1', 4)).toBe('bb:4');
  await engine.out(['start', 'aa']);
  await isServed('aa');
}, 90_000);
