import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test';
import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

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

const network = ['--network', 'none'];
const numbered = (pause: string) => `i=0; while true; do echo line $i; i=$((i+1)); ${pause}; done`;
const logPath = async (name: string) => await engine.out(['inspect', '-f', '{{.LogPath}}', name]);
const filesOf = (path: string) =>
  readdirSync(dirname(path)).filter((name) => name.startsWith('container.log'));
async function lines(name: string): Promise<string[]> {
  return (await engine.out(['logs', name])).split('\n');
}
/** Whether what is left of a log is its end, without a gap. */
function expectNoGap(found: readonly string[]): void {
  const first = Number(found[0]?.split(' ')[1]);
  expect(found).toEqual(found.map((_, at) => `line ${first + at}`));
}

test('a log keeps to max-size and max-file, packed, without a gap; logs -f sees every line', async () => {
  const options = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=3', '--log-opt', 'compress=true'];
  await engine.out([
    'run',
    '-d',
    '--name',
    'many',
    ...network,
    ...options,
    'busybox',
    'sh',
    '-c',
    numbered('usleep 300'),
  ]);
  const follower = engine.startCommand(['logs', '-f', 'many']);
  await follower.until(/line 4000\n/, 60_000);
  await engine.out(['kill', 'many']);
  const seen = (await follower.end()).stdout.trimEnd().split('\n');
  expect(seen).toEqual(seen.map((_, at) => `line ${at}`));
  const path = await logPath('many');
  await eventually(() => filesOf(path).filter((name) => name.endsWith('.gz')).length === 2, {
    what: () => `two packed files among ${filesOf(path).join(' ')}`,
  });
  expect(filesOf(path).sort()).toEqual(['container.log', 'container.log.1.gz', 'container.log.2.gz']);
  const left = await lines('many');
  expectNoGap(left);
  expect(left.at(-1)).toBe(seen.at(-1) ?? '');
  expect(left.length).toBeLessThan(2500);
  expect(await engine.out(['logs', '--tail', '600', 'many'])).toBe(left.slice(-600).join('\n'));
});

test('a daemon killed again and again while logs are rotated loses and doubles no line', async () => {
  const options = ['--log-opt', 'max-size=4k', '--log-opt', 'max-file=1000', '--log-opt', 'compress=true'];
  await engine.out([
    'run',
    '-d',
    '--name',
    'many',
    ...network,
    ...options,
    'busybox',
    'sh',
    '-c',
    numbered('usleep 500'),
  ]);
  const path = await logPath('many');
  for (let turn = 0; turn < 6; turn++) {
    await Bun.sleep(100 + 37 * turn);
    await engine.restart('SIGKILL');
    const before = filesOf(path).length;
    await eventually(() => filesOf(path).length > before + 1, {
      what: () => `a rotation in ${filesOf(path).join(' ')}`,
    });
  }
  await engine.out(['kill', 'many']);
  const found = await lines('many');
  expect(found[0]).toBe('line 0');
  expectNoGap(found);
  expect(filesOf(path).length).toBeGreaterThan(10);
});

test('what outgrew its limit while no daemon ran is cut at its start', async () => {
  const options = ['--log-opt', 'max-size=10k', '--log-opt', 'max-file=3'];
  await engine.out([
    'run',
    '-d',
    '--name',
    'many',
    ...network,
    ...options,
    'busybox',
    'sh',
    '-c',
    numbered('usleep 200'),
  ]);
  const path = await logPath('many');
  await engine.stop('SIGKILL');
  await eventually(() => statSync(path).size > 200_000, { timeoutMs: 30_000 });
  await engine.start();
  const total = () =>
    filesOf(path).reduce(
      (sum, name) => sum + (statSync(`${dirname(path)}/${name}`, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  await eventually(() => total() < 60_000, { what: () => `a small log, not ${total()}` });
  expectNoGap(await lines('many'));
});

test('a log of a container that says nothing is bounded, and bytes are kept as they are', async () => {
  const flood = 'head -c 130000000 /dev/zero | tr "\\0" "x" | fold -w 1000; printf "\\377\\000\\001"';
  await engine.out(['run', '--name', 'flood', ...network, 'busybox', 'sh', '-c', `{ ${flood}; } >&2`], {
    timeoutMs: 120_000,
  });
  const path = await logPath('flood');
  const total = filesOf(path).reduce((sum, name) => sum + statSync(`${dirname(path)}/${name}`).size, 0);
  expect(filesOf(path).length).toBe(5);
  expect(total).toBeLessThan(125e6);
  const { body } = await engine.api('GET', '/v1.41/containers/flood/logs?stderr=1&tail=1');
  expect(body.endsWith('\u0000\u0001')).toBe(true);
}, 180_000);

test('attributes, times and parts are as Docker shows them', async () => {
  const options = [
    '--log-opt',
    'labels=a,q',
    '--log-opt',
    'env=X',
    '--log-opt',
    'tag={{.Name}}/{{.ImageName}}',
  ];
  await engine.out([
    'run',
    '--name',
    'one',
    ...network,
    '--label',
    'a=b c',
    '-e',
    'X=1,2',
    ...options,
    'busybox',
    'sh',
    '-c',
    'echo hi; head -c 40000 /dev/zero | tr "\\0" a; echo; printf part; sleep 0.2; echo " two"',
  ]);
  const shown = await engine.out(['logs', '--details', '-t', 'one']);
  const stamp = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z';
  const prefix = `(${stamp}) X=1%2C2,a=b\\+c,tag=one%2Fbusybox `;
  const match = new RegExp(
    `^${prefix}hi\n${prefix}a{16384}${prefix}a{16384}${prefix}a{7232}\n${prefix}part two$`,
  ).exec(shown);
  expect(match).not.toBeNull();
  expect(new Set(match?.slice(2, 5)).size).toBe(1);
  expect(await engine.out(['logs', '--details', 'one'])).toStartWith('X=1%2C2,a=b+c,tag=one%2Fbusybox hi\n');
});

test('drivers and options that make no sense are refused as Docker does', async () => {
  const refused = async (...options: string[]) => {
    const { stderr, code } = await engine.run(['run', '--rm', ...network, ...options, 'busybox', 'true']);
    return `${code} ${stderr.split('\n')[0]?.replace('docker: Error response from daemon: ', '')}`;
  };
  expect(await refused('--log-driver', 'nope')).toBe(
    '125 error looking up logging plugin nope: plugin "nope" not found',
  );
  expect(await refused('--log-opt', 'nope=1')).toBe("125 unknown log opt 'nope' for json-file log driver");
  expect(await refused('--log-opt', 'max-size=x')).toBe(
    "125 failed to create task for container: failed to initialize logging driver: invalid size: 'x'",
  );
  expect(await refused('--log-opt', 'tag={{.Nope}}')).toBe(
    `125 failed to create task for container: failed to initialize logging driver: template: log-tag:1:2: executing "log-tag" at <.Nope>: can't evaluate field Nope in type *logger.Info`,
  );
  await engine.out(['run', '--name', 'silent', ...network, '--log-driver', 'none', 'busybox', 'echo', 'hi']);
  expect((await engine.run(['logs', 'silent'])).stderr).toBe(
    'Error response from daemon: configured logging driver does not support reading\n',
  );
});

test("the daemon's driver and options are containers' own; local packs", async () => {
  engine.configure({ 'log-driver': 'local', 'log-opts': { 'max-size': '5k', 'max-file': '3' } });
  await engine.restart();
  try {
    await engine.out([
      'run',
      '--name',
      'one',
      ...network,
      'busybox',
      'sh',
      '-c',
      'seq 0 1999 | sed "s/^/line /"',
    ]);
    expect(await engine.out(['inspect', '-f', '{{json .HostConfig.LogConfig}}', 'one'])).toBe(
      '{"Type":"local","Config":{"max-file":"3","max-size":"5k"}}',
    );
    expect(await engine.out(['info', '-f', '{{.LoggingDriver}}'])).toBe('local');
    expectNoGap(await lines('one'));
  } finally {
    engine.configure({});
    await engine.restart();
  }
});
