import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FakeDaemon } from '../../test/support/cli/fake-daemon.ts';

/** Tells what it was called with, and advises after commands. */
const PLUGIN = `#!/bin/sh
case "$1 $2" in
"docker-cli-plugin-metadata "*) echo '{"SchemaVersion":"0.1.0","Vendor":"V","ShortDescription":"Says"}' ;;
"say docker-cli-plugin-hooks") echo "$3" > "$HOOKS"; echo '{"type":0,"template":"tried {{.Name}} of {{arg . 0}}"}' ;;
*) echo "say: $*" ;;
esac
`;
const LOGIN = 'https://index.docker.io/v1/';
const network = {
  Id: 'a'.repeat(64),
  Name: 'bridge',
  Driver: 'bridge',
  Scope: 'local',
  Created: '2026-01-02T03:04:05Z',
};
const volume = { Name: 'data', Driver: 'local', Mountpoint: '/v', Scope: 'local', Labels: {} };
const container = {
  Id: 'b'.repeat(64),
  Names: ['/web'],
  Image: 'app',
  ImageID: '',
  Command: 'x',
  Created: 1,
  Ports: [],
  Labels: {},
  State: 'running',
  Status: 'Up',
  HostConfig: {},
  NetworkSettings: { Networks: {} },
  Mounts: [],
};
const image = {
  Id: `sha256:${'c'.repeat(64)}`,
  RepoTags: ['app:1'],
  RepoDigests: [],
  Created: 1,
  Size: 5,
  SharedSize: -1,
  Labels: null,
  Containers: -1,
  ParentId: '',
};

let daemon: FakeDaemon;
beforeAll(async () => {
  daemon = new FakeDaemon({
    'GET /networks': {
      body: [{ ...network, EnableIPv4: true, EnableIPv6: false, Internal: false, Labels: {} }],
    },
    'GET /volumes': { body: { Volumes: [volume], Warnings: null } },
    'GET /containers/json': { body: [container] },
    'GET /images/json': { body: [image] },
    'POST /containers/web/kill': { status: 204, body: '' },
    'GET /containers/web/json': { body: { Config: { Tty: false }, State: { Running: true } } },
    'POST /volumes/prune': { body: { VolumesDeleted: null, SpaceReclaimed: 0 } },
    'POST /containers/create': { status: 201, body: { Id: 'abc', Warnings: [] } },
    'POST /containers/web/exec': { status: 201, body: { Id: 'def' } },
    'POST /exec/def/start': { body: '' },
    'GET /containers/web/stats': {
      body: {
        name: '/web',
        id: 'b'.repeat(64),
        pids_stats: { current: 7 },
        cpu_stats: {},
        precpu_stats: {},
        memory_stats: {},
        blkio_stats: {},
      },
    },
    'POST /auth': { status: 200, body: { Status: 'Login Succeeded', IdentityToken: '' } },
  });
  await daemon.listen();
  const plugins = join(daemon.directory, 'extra');
  mkdirSync(plugins, { recursive: true });
  mkdirSync(daemon.config, { recursive: true });
  writeFileSync(join(plugins, 'docker-say'), PLUGIN);
  chmodSync(join(plugins, 'docker-say'), 0o755);
  const helper = join(daemon.directory, 'docker-credential-kept');
  writeFileSync(
    helper,
    `#!/bin/sh\ncat > /dev/null\necho '{"ServerURL":"${LOGIN}","Username":"u","Secret":"s"}'\n`,
  );
  chmodSync(helper, 0o755);
});
afterAll(() => daemon.close());

const ours = [process.execPath, resolve(import.meta.dir, 'main.ts')];
const stock = Bun.which('docker');
// oxlint-disable-next-line no-console -- a skip has to be heard
if (stock === null) console.warn('SKIPPED: no docker command on PATH to hold config.json against');

interface Row {
  keys: string;
  /** Docker's client leaves it out by a mistake: what compares filters says of one that isn't there that it matches. */
  oursAlone?: true;
  config: (daemon: FakeDaemon) => unknown;
  args: string[];
  stdout?: string;
  stderr?: string;
  code?: number;
  /** Of a request that was sent. */
  sent?: (requests: FakeDaemon['requests']) => boolean;
}

const NOT_ALLOWED = 'not allowed to alias "ls" (allowed: map[string]struct {}{"builder":struct {}{}})\n';
const folder = (of: FakeDaemon) => ({ cliPluginsExtraDirs: [join(of.directory, 'extra')] });
const said = (of: FakeDaemon, words: string) => `say: --config ${of.config} ${words}\n`;

/** As docker 28.5 has it; run against the stock client too, where there is one. */
const rows: Row[] = [
  { keys: 'psFormat', config: () => ({ psFormat: 'p {{.Names}}' }), args: ['ps'], stdout: 'p web\n' },
  {
    keys: 'psFormat',
    config: () => ({ psFormat: 'p {{.Names}}' }),
    args: ['ps', '-q'],
    stdout: 'bbbbbbbbbbbb\n',
  },
  { keys: 'imagesFormat', config: () => ({ imagesFormat: 'i {{.Tag}}' }), args: ['images'], stdout: 'i 1\n' },
  {
    keys: 'networksFormat',
    config: () => ({ networksFormat: 'n {{.Name}}' }),
    args: ['network', 'ls'],
    stdout: 'n bridge\n',
  },
  {
    keys: 'networksFormat',
    config: () => ({ networksFormat: 'table {{.Driver}}' }),
    args: ['network', 'ls'],
    stdout: 'DRIVER\nbridge\n',
  },
  {
    keys: 'networksFormat',
    config: () => ({ networksFormat: 'n {{.Name}}' }),
    args: ['network', 'ls', '-q'],
    stdout: 'aaaaaaaaaaaa\n',
  },
  {
    keys: 'networksFormat',
    config: () => ({ networksFormat: 'n {{.Name}}' }),
    args: ['network', 'ls', '--format', '{{.ID}}'],
    stdout: 'aaaaaaaaaaaa\n',
  },
  {
    keys: 'volumesFormat',
    config: () => ({ volumesFormat: 'v {{.Name}}' }),
    args: ['volume', 'ls'],
    stdout: 'v data\n',
  },
  { keys: 'aliases', config: () => ({ aliases: { ls: 'say' } }), args: ['ps'], stderr: NOT_ALLOWED, code: 1 },
  {
    keys: 'aliases',
    config: () => ({ aliases: { ls: 'say' } }),
    args: ['nosuch'],
    stderr: NOT_ALLOWED,
    code: 1,
  },
  {
    keys: 'aliases',
    config: () => ({ aliases: { builder: 'image' } }),
    args: ['ps'],
    stderr: 'not allowed to alias with builtin "image" as target\n',
    code: 1,
  },
  {
    keys: 'aliases',
    config: () => ({ aliases: { builder: 'none' } }),
    args: ['ps', '-q'],
    stdout: 'bbbbbbbbbbbb\n',
  },
  {
    keys: 'aliases',
    config: () => ({ aliases: { builder: 'none' } }),
    args: ['build', '.'],
    stderr:
      'ERROR: BuildKit is enabled but the buildx component is missing or broken.\n       Install the buildx component to build images with BuildKit:\n       https://docs.docker.com/go/buildx/\n',
    code: 1,
  },
  ...(
    [
      [['build', '-t', 'x', '.'], 'say build -t x .'],
      [['image', 'build', '.'], 'say build .'],
      [['builder', 'prune', '-f'], 'say prune -f'],
      [['builder'], 'say'],
      [['say', 'it'], 'say it'],
    ] as const
  ).map(
    ([args, words]): Row => ({
      keys: 'aliases, cliPluginsExtraDirs',
      config: (of) => ({ ...folder(of), aliases: { builder: 'say' } }),
      args: [...args],
      stdout: words,
    }),
  ),
  {
    keys: 'HttpHeaders',
    config: () => ({ HttpHeaders: { 'X-Meta': 'm' } }),
    args: ['kill', 'web'],
    stdout: 'web\n',
    sent: (requests) => requests.at(-1)?.headers['x-meta'] === 'm',
  },
  {
    keys: 'proxies',
    config: (of) => ({
      proxies: { [of.host]: { httpProxy: 'http://p:1' }, default: { httpProxy: 'http://q:1' } },
    }),
    args: ['create', '-e', 'A=1', 'busybox'],
    stdout: 'abc\n',
    // Docker's has them in any order.
    sent: (requests) =>
      String((JSON.parse(requests.at(-1)?.body ?? '') as { Env: string[] }).Env.toSorted()) ===
      'A=1,HTTP_PROXY=http://p:1,http_proxy=http://p:1',
  },
  {
    keys: 'detachKeys',
    config: () => ({ detachKeys: 'ctrl-x,d' }),
    args: ['exec', '-d', 'web', 'ls'],
    sent: (requests) => requests.some(({ body }) => body.includes('"DetachKeys":"ctrl-x,d"')),
  },
  {
    keys: 'statsFormat',
    config: () => ({ statsFormat: '{{.Name}} has {{.PIDs}}' }),
    args: ['stats', '--no-stream', 'web'],
    stdout: 'web has 7\n',
  },
  {
    keys: 'pruneFilters',
    oursAlone: true,
    config: () => ({ pruneFilters: ['label=keep'] }),
    args: ['volume', 'prune', '-f'],
    stdout: 'Total reclaimed space: 0B\n',
    sent: (requests) => decodeURIComponent(requests.at(-1)?.line ?? '').includes('{"label":{"keep":true}}'),
  },
  {
    keys: 'credHelpers',
    config: () => ({ credHelpers: { 'https://index.docker.io/v1/': 'kept' } }),
    args: ['push', 'app:1'],
    code: 1,
    sent: (requests) =>
      Buffer.from(String(requests.at(-1)?.headers['x-registry-auth']), 'base64url')
        .toString()
        .includes('"username":"u"'),
  },
  {
    keys: 'credsStore',
    config: () => ({ credsStore: 'kept' }),
    args: ['push', 'app:1'],
    code: 1,
    sent: (requests) =>
      Buffer.from(String(requests.at(-1)?.headers['x-registry-auth']), 'base64url')
        .toString()
        .includes('"password":"s"'),
  },
  {
    keys: 'currentContext',
    config: () => ({ currentContext: 'nowhere' }),
    args: ['context', 'show'],
    stdout: 'nowhere\n',
  },
];

const clients: [string, string[]][] = [
  ['ours', ours],
  ...(stock === null ? [] : [['the stock client', [stock]] as [string, string[]]]),
];

describe.each(clients)('%s honours', (_, program) => {
  const shared = rows.filter((row) => program === ours || row.oursAlone !== true);
  test.each(shared.map((row): [string, Row] => [`${row.keys}: ${row.args.join(' ')}`, row]))(
    '%s',
    async (_, row) => {
      writeFileSync(join(daemon.config, 'config.json'), JSON.stringify(row.config(daemon)));
      daemon.taken();
      const env = {
        HOME: daemon.directory,
        PATH: `${daemon.directory}:${process.env['PATH']}`,
        SAMPAN_PROGRAM: 'docker',
      };
      // By flag where a plugin repeats it, else by the environment: a named context would lose to -H.
      const host = row.keys === 'currentContext' ? {} : { DOCKER_HOST: daemon.host };
      const child = Bun.spawn([...program, '--config', daemon.config, ...row.args], {
        env: { ...env, ...host },
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      });
      const [stdout, stderr, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      const isPlugins = row.keys.includes('cliPluginsExtraDirs');
      if (row.stdout !== undefined) expect(stdout).toBe(isPlugins ? said(daemon, row.stdout) : row.stdout);
      if (row.stderr !== undefined) expect(stderr).toBe(row.stderr);
      expect(code).toBe(row.code ?? 0);
      if (row.sent !== undefined) expect(row.sent(daemon.requests)).toBe(true);
    },
  );

  test('plugins.NAME.hooks and features.hooks: advice after a command, on a terminal alone', async () => {
    const hooks = join(daemon.directory, 'hooks');
    const config = {
      ...folder(daemon),
      plugins: { say: { hooks: 'run,kill' } },
      features: { hooks: 'true' },
    };
    writeFileSync(join(daemon.config, 'config.json'), JSON.stringify(config));
    const words = [...program, '--config', daemon.config, 'kill', '-s', 'TERM', 'web'];
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: daemon.directory,
      HOOKS: hooks,
      DOCKER_HOST: daemon.host,
      SAMPAN_PROGRAM: 'docker',
    };
    const piped = Bun.spawn(words, { env, stdin: 'ignore', stderr: 'pipe' });
    expect(await new Response(piped.stderr).text()).toBe('');
    const typed = Bun.spawn(['script', '-qec', words.join(' '), '/dev/null'], {
      env,
      stdout: 'pipe',
      stdin: 'ignore',
    });
    expect(await new Response(typed.stdout).text()).toBe(
      "web\r\n\x1b[1m\r\nWhat's next:\x1b[0m\r\n    tried kill of web\r\n",
    );
    expect(await Bun.file(hooks).json()).toEqual({
      RootCmd: 'kill',
      Flags: { signal: '' },
      CommandError: '',
    });
  });
});
