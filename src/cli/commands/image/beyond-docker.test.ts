import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeDaemon, runCli } from '../../../../test/support/cli/fake-daemon.ts';
import { TRANSFER_ANSWERS } from '../../../../test/support/cli/transfer-answers.ts';
import type { ImageDiff } from '../../../wire/image-diff.ts';
import type { ImageLayers } from '../../../wire/image-layers.ts';

// Calls that Docker hasn't got: what is asked is the contract in `wire/`.
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const LAYERS: ImageLayers = {
  Id: digest('a'),
  Platform: { architecture: 'amd64', os: 'linux' },
  Size: 3_000_000,
  WastedSize: 750_000,
  Layers: [
    {
      DiffId: digest('b'),
      Digest: digest('c'),
      CreatedBy: 'COPY rootfs / # buildkit',
      Created: '2026-01-01T00:00:00Z',
      Size: 2_000_000,
      BlobSize: 900_000,
      Files: 2,
      WastedSize: 750_000,
      Entries: [
        { Path: '/app/\x1b]0;evil\x07\udcff', Kind: 'added', Type: 'file', Size: 750_000, Wasted: true },
        { Path: '/bin', Kind: 'added', Type: 'directory', Size: 0, Wasted: false },
      ],
    },
    {
      DiffId: digest('d'),
      Digest: '',
      CreatedBy: 'RUN make all && make install && rm -rf /var/cache/apt',
      Created: '',
      Size: 1_000_000,
      BlobSize: 0,
      Files: 1,
      WastedSize: 0,
      Entries: [{ Path: '/app', Kind: 'removed', Type: 'directory', Size: 0, Wasted: false }],
    },
  ],
};
const DIFF: ImageDiff = {
  From: digest('a'),
  To: digest('b'),
  Changes: [
    { Path: '/etc/app.conf', Kind: 'modified', Type: 'file', FromSize: 1200, ToSize: 1000 },
    { Path: '/new\tname', Kind: 'added', Type: 'file', FromSize: 0, ToSize: 5_000_000 },
    { Path: '/old', Kind: 'removed', Type: 'file', FromSize: 70, ToSize: 0 },
  ],
};
const OURS = 'Sampan/0.1.0 (linux)';
const daemon = new FakeDaemon(
  {
    ...TRANSFER_ANSWERS,
    'GET /images/app:1/layers': { body: LAYERS },
    'GET /images/app:1/diff': { body: DIFF },
    'GET /images/search': { body: { Name: 'docker.io/library/busybox', Tags: ['1.36', 'latest'] } },
    'POST /images/copy': { body: '{"status":"Copied"}\n' },
    'POST /images/prune': { body: { ImagesDeleted: null, SpaceReclaimed: 0 } },
    'POST /auth': { body: { Status: 'Login Succeeded', IdentityToken: '' } },
  },
  { server: OURS },
);
const docker = new FakeDaemon(TRANSFER_ANSWERS);

beforeAll(async () => {
  await daemon.listen();
  await docker.listen();
  mkdirSync(daemon.config);
  const auths = { 'src.test': { auth: 'YTph' }, 'dst.test': { auth: 'Yjpi' } };
  writeFileSync(join(daemon.config, 'config.json'), JSON.stringify({ auths, pruneFilters: ['label=keep'] }));
});
afterAll(() => {
  daemon.close();
  docker.close();
});
beforeEach(() => void daemon.taken());
const run = (...argv: string[]) => runCli(daemon, argv);

test('image layers', async () => {
  expect((await run('image', 'layers', 'app:1')).out).toBe(
    `LAYER          SIZE      COMPRESSED   FILES     WASTED    CREATED BY
bbbbbbbbbbbb   2MB       900kB        2         750kB     COPY rootfs / # buildkit
dddddddddddd   1MB       0B           1         0B        RUN make all && make install && rm -rf /var/…

Total: 3MB in 2 layers, 750kB of it wasted (25%)
`,
  );
  expect(daemon.taken()).toEqual(['GET /images/app:1/layers']);
});

test('image layers --files lets no name of a file command the terminal', async () => {
  expect((await run('image', 'layers', '--files', '--platform', 'linux/arm64', 'app:1')).out).toBe(
    `LAYER          CHANGE    SIZE      WASTED    PATH
bbbbbbbbbbbb   added     750kB     yes       /app/\\x1b]0;evil\\x07\\xff
bbbbbbbbbbbb   added     0B        no        /bin
dddddddddddd   removed   0B        no        /app

Total: 3MB in 2 layers, 750kB of it wasted (25%)
`,
  );
  expect(daemon.taken()).toEqual([
    'GET /images/app:1/layers?files=1&platform=%7B%22architecture%22%3A%22arm64%22%2C%22os%22%3A%22linux%22%7D',
  ]);
});

test('image diff', async () => {
  expect((await run('image', 'diff', 'app:1', 'app:2')).out).toBe(
    `CHANGE     SIZE      DELTA     PATH
modified   1kB       -200B     /etc/app.conf
added      5MB       +5MB      /new\\x09name
removed    0B        -70B      /old

1 added (+5MB), 1 modified (-200B), 1 removed (-70B)
`,
  );
  expect((await run('image', 'diff', '--format', '{{.Kind}} {{.Path}}', 'app:1', 'app:2')).out).toBe(
    'modified /etc/app.conf\nadded /new\\x09name\nremoved /old\n',
  );
  expect(daemon.taken()).toEqual(['GET /images/app:1/diff?to=app%3A2', 'GET /images/app:1/diff?to=app%3A2']);
});

test('image copy takes both logins, and the tag of the source', async () => {
  const { out } = await run('image', 'copy', '--tls-verify=false', 'src.test/a:1.2', 'dst.test/b');
  expect(out).toBe('Copied\ndst.test/b:1.2\n');
  const [request] = daemon.requests;
  expect(request?.line).toBe('POST /images/copy?from=src.test%2Fa%3A1.2&tlsVerify=0&to=dst.test%2Fb%3A1.2');
  const sent = (name: string) => Buffer.from(String(request?.headers[name]), 'base64').toString();
  expect([sent('x-registry-auth'), sent('x-registry-auth-source')]).toEqual([
    '{"username":"b","password":"b","serveraddress":"dst.test"}',
    '{"username":"a","password":"a","serveraddress":"src.test"}',
  ]);
  expect((await run('image', 'copy', 'a', `b@${digest('a')}`)).err).toBe('cannot push a digest reference\n');
});

test('search --list-tags', async () => {
  expect((await run('search', '--list-tags', 'busybox')).out).toBe(
    'NAME      TAG\nbusybox   1.36\nbusybox   latest\n',
  );
  expect(daemon.taken()).toEqual(['GET /images/search?listTags=1&term=docker.io%2Flibrary%2Fbusybox']);
  expect((await run('search', '--list-tags', 'busybox:1')).err).toBe("tag can't be used with --list-tags\n");
});

test('image prune by last use', async () => {
  await run('image', 'prune', '-f', '--unused-for', '30d', '--keep-size', '20GB');
  const [line = ''] = daemon.taken();
  expect(JSON.parse(new URLSearchParams(line.replace(/^.*\?/, '')).get('filters') ?? '')).toEqual({
    dangling: { false: true },
    label: { keep: true },
    'unused-for': { '2592000': true },
    'keep-size': { '21474836480': true },
  });
  const { err, status } = await run('image', 'prune', '--unused-for', 'soon');
  expect({ status, first: err.split('\n')[0] }).toEqual({
    status: 125,
    first: 'invalid argument "soon" for "--unused-for" flag: no duration: "soon" (expected 30d, 2w or 36h)',
  });
});

test('--tls-verify=false goes with every call that reaches a registry', async () => {
  await run('pull', '--tls-verify=false', 'src.test/a:1');
  await run('push', '--tls-verify=false', 'src.test/a:1');
  await run('login', '--tls-verify=false', '-u', 'a', '-p', 'a', 'src.test');
  expect(daemon.taken()).toEqual([
    'POST /images/create?fromImage=src.test%2Fa&tag=1&tlsVerify=0',
    'POST /images/src.test/a/push?tag=1&tlsVerify=0',
    'POST /auth?tlsVerify=0',
  ]);
});

test.each([
  [['image', 'layers', 'a'], 'look into layers'],
  [['image', 'diff', 'a', 'b'], 'compare images'],
  [['image', 'copy', 'a', 'b'], 'copy between registries'],
  [['search', '--list-tags', 'a'], "list a repository's tags"],
  [['image', 'prune', '-f', '--keep-size', '1GB'], 'prune images by their last use'],
  [['pull', '--tls-verify=false', 'a:1'], 'leave out the check of certificates for one command'],
  [['push', '--tls-verify=false', 'a:1'], 'leave out the check of certificates for one command'],
  [
    ['login', '--tls-verify=false', '-u', 'a', '-p', 'a', 'h'],
    'leave out the check of certificates for one command',
  ],
])('%p says that a stock Docker cannot, and asks it nothing', async (argv, what) => {
  const { status, err } = await runCli(docker, argv);
  expect(status).toBe(1);
  expect(err).toContain(`Cannot ${what}: the daemon at ${docker.host} can't do that (it is Docker/28.5.2)\n`);
  expect(docker.taken()).toEqual([]);
});

test('a daemon of ours that has not got it yet says so', async () => {
  const older = new FakeDaemon({}, { server: OURS });
  await older.listen();
  try {
    for (const argv of [
      ['image', 'layers', 'a'],
      ['image', 'diff', 'a', 'b'],
      ['image', 'copy', 'a', 'b'],
      ['manifest', 'inspect', 'a'],
    ])
      expect((await runCli(older, argv)).err).toEndWith(
        "can't do that (it is Sampan/0.1.0)\nIt is older than this client.\n",
      );
  } finally {
    older.close();
  }
});
