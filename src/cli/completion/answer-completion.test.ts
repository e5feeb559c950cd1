import { afterAll, beforeAll, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeDaemon, runCli } from '../../../test/support/cli/fake-daemon.ts';
import { CATALOG } from '../catalog.ts';

// What is expected is what `docker __complete` of 28.5 answers on a daemon with these objects.
const container = (name: string, State: string, network: string) => ({
  Id: `${name}-id`,
  Names: [`/${name}`],
  State,
  NetworkSettings: { Networks: { [network]: { NetworkID: `${network}-id` } } },
});
const RUNNING = [
  container('web', 'running', 'bridge'),
  container('held', 'paused', 'front'),
  container('again', 'restarting', 'front'),
];
const STOPPED = [container('old', 'exited', 'bridge'), container('new', 'created', 'bridge')];

const daemon = new FakeDaemon({
  'GET /containers/json': { body: RUNNING },
  'GET /containers/json?all': { body: [...RUNNING, ...STOPPED] },
  'GET /images/json': { body: [{ RepoTags: ['app:1', 'app:2'] }, { RepoTags: null }] },
  'GET /networks': { body: [{ Name: 'host' }, { Name: 'bridge' }, { Name: 'none' }] },
  'GET /volumes': { body: { Volumes: [{ Name: 'data' }], Warnings: null } },
  'GET /info': { body: { Plugins: { Log: ['json-file', 'local'], Volume: ['local'] } } },
});
beforeAll(() => daemon.listen());
afterAll(() => daemon.close());

async function complete(words: string[], options: { call?: string; env?: Record<string, string> } = {}) {
  const { call = '__complete', env = {} } = options;
  const all = daemon.answers['GET /containers/json?all'];
  const running = daemon.answers['GET /containers/json'];
  daemon.taken();
  const answer = await runCli(daemon, [call, ...words], { env });
  // The fake knows no queries: asked for all, it is asked again with all.
  if (daemon.taken().some((line) => line.includes('all=1')) && all !== undefined && running !== undefined) {
    daemon.answers['GET /containers/json'] = all;
    const whole = await runCli(daemon, [call, ...words], { env });
    daemon.answers['GET /containers/json'] = running;
    return lines(whole.out);
  }
  return lines(answer.out);
}

const lines = (text: string) => text.replace(/\n$/, '').split('\n');

test.each([
  ['stop', ['web', 'held', 'again']],
  ['kill', ['web', 'held', 'again']],
  ['exec', ['web', 'again']],
  ['pause', ['web', 'again']],
  ['unpause', ['held']],
  ['start', ['old', 'new']],
  ['rm', ['old', 'new']],
  ['rm -f', ['web', 'held', 'again', 'old', 'new']],
  ['container rm --force', ['web', 'held', 'again', 'old', 'new']],
  ['logs', ['web', 'held', 'again', 'old', 'new']],
  ['restart web', ['held', 'again', 'old', 'new']],
  ['logs web', []],
  ['run --rm -it', ['app:1', 'app:2']],
  ['run app:1', []],
  ['run -e A=b --name x', ['app:1', 'app:2']],
  ['rmi app:1', ['app:2']],
  ['tag', ['app:1', 'app:2']],
  ['image save', ['app:1', 'app:2']],
  ['network connect', ['host', 'bridge', 'none']],
  ['network connect bridge', ['held', 'again']],
  ['network disconnect bridge', ['web', 'old', 'new']],
  ['network disconnect front-id', ['held', 'again']],
  ['network create', []],
  ['volume rm', ['data']],
  ['volume create', []],
  ['context use', ['default']],
  ['run --network', ['host', 'bridge', 'none']],
  ['run --log-driver', ['json-file', 'local']],
  ['run -it --restart', ['no', 'always', 'on-failure', 'unless-stopped']],
  ['run --pull', ['always', 'missing', 'never']],
  ['run --ipc', ['container:', 'host', 'none', 'private', 'shareable']],
  ['run -w', []],
  ['system df', []],
] as [string, string[]][])('%s: what Docker offers, and no files', async (words, values) => {
  expect(await complete([...words.split(' '), ''])).toEqual([...values, ':4']);
});

test.each([
  ['build', ':16'],
  ['build -f', ':0'],
  ['load -i', ':0'],
  ['run --env-file', ':0'],
  ['cp', ':0'],
  ['import', ':0'],
  ['ps --filter', ':0'],
  ['nosuch', ':0'],
  ['image nosuch', ':0'],
  ['run --nosuch', ':0'],
])('%s: files, or folders', async (words, directive) => {
  expect(await complete([...words.split(' '), ''])).toEqual([directive]);
});

test('a value behind = is answered without its flag, and no blank follows what goes on', async () => {
  expect(await complete(['run', '--pull='])).toEqual(['always', 'missing', 'never', ':4']);
  expect(await complete(['run', '--ipc=container:'])).toContain('container:old');
  expect(await complete(['run', '--link', ''])).toEqual(['web:', 'held:', 'again:', 'old:', 'new:', ':2']);
  expect((await complete(['events', '--filter', ''])).at(-1)).toBe(':2');
  expect(await complete(['events', '--filter', 'type='])).toContain('type=network');
  expect(await complete(['events', '-f', 'container=w'])).toContain('container=web');
});

test('commands and flags have descriptions, are filtered, and not told twice', async () => {
  const all = await complete(['']);
  expect(all).toContain('run\tCreate and run a new container from an image');
  expect(all).toContain('image\tManage images');
  expect(all.filter((line) => /^(completion|__complete|images)\b/.test(line))).toEqual([
    'images\tList images',
  ]);
  expect(await complete(['r'], { call: '__completeNoDesc' })).toEqual([
    'registry',
    'rename',
    'restart',
    'rm',
    'rmi',
    'run',
    ':4',
  ]);
  expect(await complete(['image', 'i'])).toEqual([
    'import\tMake an image from a tarball of a file system',
    'inspect\tShow everything about one or more images',
    ':4',
  ]);
  expect(await complete(['ps', '-'], { call: '__completeNoDesc' })).toEqual(
    '--all -a --filter -f --format --last -n --latest -l --no-trunc --quiet -q --size -s :4'.split(' '),
  );
  const rest = await complete(['run', '--rm', '-v', 'a:b', '-'], { call: '__completeNoDesc' });
  expect([rest.includes('--rm'), rest.includes('--volume')]).toEqual([false, true]);
  expect(await complete(['run', 'app:1', '-'])).toEqual([':4']);
  expect(await complete(['--con'], { call: '__completeNoDesc' })).toEqual(['--config', '--context', ':4']);
});

test('global flags stand before the command, and have values too', async () => {
  expect(await complete(['-D', 'volume', 'inspect', ''])).toEqual(['data', ':4']);
  expect(await complete(['--log-level', ''])).toEqual([
    'debug',
    'info',
    'warn',
    'error',
    'fatal',
    'panic',
    ':4',
  ]);
  expect(await complete(['-H', ''])).toEqual([':0']);
  const { out } = await runCli(daemon, ['-H', daemon.host, '__complete', 'volume', 'rm', '']);
  expect(out).toBe('data\n:4\n');
});

test('ids where they are asked for', async () => {
  const env = { DOCKER_COMPLETION_SHOW_CONTAINER_IDS: 'yes' };
  expect(await complete(['unpause', ''], { env })).toEqual(['held-id', 'held', ':4']);
});

test('no daemon, and no word', async () => {
  const nobody = { env: { DOCKER_HOST: 'unix:///nonexistent/s' } };
  const refused = await runCli(daemon, ['__complete', 'rm', ''], nobody);
  expect([refused.status, refused.out]).toEqual([0, ':1\n']);
  expect(refused.err).toEndWith('Completion ended with directive: ShellCompDirectiveError\n');
  const flags = await runCli(daemon, ['__complete', 'rm', '--f'], nobody);
  expect(flags.out).toBe('--force\tRemove it even if it runs (by SIGKILL)\n:4\n');
  const empty = await runCli(daemon, ['__complete']);
  expect([empty.status, empty.out, empty.err]).toEqual([
    1,
    '',
    'requires at least 1 arg(s), only received 0\n',
  ]);
});

test("a plugin answers for its own words, by Docker's protocol", async () => {
  const folder = join(daemon.config, 'cli-plugins');
  mkdirSync(folder, { recursive: true });
  const plugin = join(folder, 'docker-compose');
  writeFileSync(plugin, '#!/bin/sh\necho "$@"\n');
  chmodSync(plugin, 0o755);
  const world = { ...process.env, DOCKER_CONFIG: daemon.config, DOCKER_HOST: daemon.host } as Record<
    string,
    string
  >;
  const program = [process.execPath, join(import.meta.dir, '../main.ts')];
  const { stdout } = Bun.spawnSync([...program, '__complete', 'compose', 'up', ''], { env: world });
  expect(stdout.toString()).toBe('__complete compose up \n');
});

test('every argument that a usage line names by an object of the engine has something to complete with', async () => {
  const silent: string[] = [];
  for (const { paths } of CATALOG) {
    const [path = ''] = paths;
    const { command } = await (CATALOG.find((entry) => entry.paths === paths) ?? CATALOG[0])!.load();
    if (!/^(\[OPTIONS\] )?\[?(CONTAINER|IMAGE|NETWORK|VOLUME|CONTEXT)\b(?!:)/.test(command.usage)) continue;
    const answer = await complete([...path.split(' '), '']);
    if (answer.length === 1) silent.push(path);
  }
  expect(silent).toEqual(['network create', 'volume create', 'context create', 'context import']);
});
