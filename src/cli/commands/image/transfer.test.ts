import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliRun, FakeDaemon, runCli } from '../../../../test/support/cli/fake-daemon.ts';
import { TRANSFER_ANSWERS } from '../../../../test/support/cli/transfer-answers.ts';

// Expected: what the stock client 28.2 asks of a daemon, and prints of these answers.
const daemon = new FakeDaemon(TRANSFER_ANSWERS);
const AUTH =
  'eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJzZWNyZXQiLCJzZXJ2ZXJhZGRyZXNzIjoicmVnaXN0cnkuZXhhbXBsZS5jb20ifQ==';
const APP = 'registry.example.com/team/app';

beforeAll(async () => {
  await daemon.listen();
  mkdirSync(daemon.config);
  writeFileSync(
    join(daemon.config, 'config.json'),
    '{"auths":{"registry.example.com":{"auth":"bWU6c2VjcmV0"}}}',
  );
  writeFileSync(join(daemon.directory, 'app.tar'), 'a tar');
});
afterAll(() => daemon.close());
beforeEach(() => void daemon.taken());

const run = (argv: string[], options: CliRun = {}) => runCli(daemon, argv, options);

const PULLED = `1.0: Pulling from team/app
aaaaaaaaaaaa: Pulling fs layer
bbbbbbbbbbbb: Pulling fs layer
aaaaaaaaaaaa: Download complete
aaaaaaaaaaaa: Pull complete
Digest: sha256:${'d'.repeat(64)}
Status: Downloaded newer image for registry.example.com/team/app:1.0
registry.example.com/team/app:1.0
`;

test('pull', async () => {
  expect(await run(['pull', `${APP}:1.0`])).toMatchObject({ status: 0, out: PULLED, err: '' });
  const [request] = daemon.requests;
  expect(request?.line).toBe('POST /images/create?fromImage=registry.example.com%2Fteam%2Fapp&tag=1.0');
  expect(request?.headers['x-registry-auth']).toBe(AUTH);
  expect((await run(['image', 'pull', '-q', `${APP}:1.0`])).out).toBe(`${APP}:1.0\n`);
});

test('pull draws bars in place on a terminal', async () => {
  const { out } = await run(['pull', `${APP}:1.0`], { terminal: 120 });
  const lines = out.split('\n');
  expect(lines.slice(0, 4)).toEqual([
    '1.0: Pulling from team/app',
    '',
    '\x1b[1A\x1b[2K\raaaaaaaaaaaa: Pulling fs layer \r\x1b[1B',
    '\x1b[1A\x1b[2K\rbbbbbbbbbbbb: Pulling fs layer \r\x1b[1B\x1b[2A\x1b[2K\raaaaaaaaaaaa: Downloading [=========================>                         ]    1.5MB/3MB\r\x1b[2B\x1b[1A\x1b[2K\rbbbbbbbbbbbb: Downloading     700B\r\x1b[1B\x1b[2A\x1b[2K\raaaaaaaaaaaa: Download complete \r\x1b[2B\x1b[1A\x1b[2K\rbbbbbbbbbbbb: Extracting [==================================================>]       5B\r\x1b[1B\x1b[1A\x1b[2K\rbbbbbbbbbbbb: Waiting [=====================================>             ] 3/4 s\r\x1b[1B\x1b[2A\x1b[2K\raaaaaaaaaaaa: Pull complete \r\x1b[2BDigest: sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',
  ]);
});

test('pull and push of all tags name none', async () => {
  expect((await run(['pull', '-a', APP])).out).toEndWith(`\n${APP}\n`);
  await run(['push', '--all-tags', APP]);
  expect(daemon.taken()).toEqual([
    'POST /images/create?fromImage=registry.example.com%2Fteam%2Fapp',
    `POST /images/${APP}/push`,
  ]);
  const err = "tag can't be used with --all-tags/-a\n";
  expect(await run(['pull', '-a', `${APP}:1`])).toMatchObject({ status: 1, err });
  expect(await run(['push', '-a', `${APP}:1`])).toMatchObject({ status: 1, err });
});

const PUSHED = `The push refers to repository [registry.example.com/team/app]
aaaaaaaaaaaa: Preparing
aaaaaaaaaaaa: Pushed
1.0: digest: sha256:${'e'.repeat(64)} size: 740

 Info -> Not all multiplatform-content is present and only the available single-platform image was pushed
         \x1b[31msha256:${'a'.repeat(64)}\x1b[0m -> \x1b[32msha256:${'b'.repeat(64)}\x1b[0m
`;

test('push', async () => {
  expect(await run(['push', `${APP}:1.0`])).toMatchObject({ status: 0, out: PUSHED, err: '' });
  expect(daemon.requests[0]).toMatchObject({
    line: `POST /images/${APP}/push?tag=1.0`,
    headers: { 'x-registry-auth': AUTH },
  });
  expect((await run(['push', '-q', `${APP}:1.0`])).out).toStartWith(`${APP}:1.0\n`);
});

test('push of one platform tells what stays behind', async () => {
  const { out } = await run(['push', '--platform', 'linux/arm64', APP]);
  expect(out).toBe(`
 Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.
         Other components, like attestations, will not be included.
         To push the complete multi-platform image, remove the --platform flag.
         
Using default tag: latest
${PUSHED}`);
  expect(daemon.taken()).toEqual([
    `POST /images/${APP}/push?platform=%7B%22architecture%22%3A%22arm64%22%2C%22os%22%3A%22linux%22%7D&tag=latest`,
  ]);
});

test('a push that fails says so after what it said before', async () => {
  const { status, out, err } = await run(['push', 'registry.example.com/team/broken:1']);
  expect({ status, err }).toEqual({ status: 1, err: 'missing content: not found\n' });
  expect(out).toContain(
    "\n Info -> You're trying to push a manifest list/index which \n         \t\t\t\treferences",
  );
});

test.each([
  [`${APP}@sha256:${'a'.repeat(64)}`, 'cannot push a digest reference\n'],
  ['UPPER', 'invalid reference format: repository name (library/UPPER) must be lowercase\n'],
])('push refuses %s', async (name, err) => {
  expect(await run(['push', name])).toMatchObject({ status: 1, err });
  expect(daemon.taken()).toEqual([]);
});

test('a platform that is none is refused before anything is asked', async () => {
  const err = '"zzz": unknown operating system or architecture: invalid argument\n';
  expect((await run(['push', '--platform', 'zzz', APP])).err).toBe(`Invalid platform zzz${err}`);
  expect((await run(['save', '--platform', 'zzz', 'a'])).err).toBe(`invalid platform: ${err}`);
  expect((await run(['load', '--platform', 'zzz'])).err).toBe(`invalid platform: ${err}`);
  expect((await run(['rmi', '--platform', 'zzz', 'a'])).err).toBe(err);
  expect(daemon.taken()).toEqual([]);
});

test('load reads a file or stdin, quietly where nobody looks', async () => {
  expect((await run(['load', '-i', 'app.tar'])).out).toBe('Loaded image: app:1\n');
  expect((await run(['load'], { stdin: 'other' })).out).toBe('Loaded image: app:1\n');
  expect(daemon.requests.map(({ line, body, headers }) => [line, body, headers['content-type']])).toEqual([
    ['POST /images/load?quiet=1', 'a tar', 'application/x-tar'],
    ['POST /images/load?quiet=1', 'other', 'application/x-tar'],
  ]);
  const { out } = await run(['load', '-i', 'app.tar'], { terminal: 80 });
  expect(out).toBe(
    '\n\x1b[1A\x1b[2K\raaaaaaaaaaaa: Loading layer  1.024kB/2.048kB\r\x1b[1BLoaded image: app:1\n',
  );
  expect((await run(['load'], { terminal: 80 })).err).toBe('requested load from stdin, but stdin is empty\n');
  expect((await run(['load', '-i', 'gone.tar'])).err).toBe('open gone.tar: no such file or directory\n');
});

test('save and export go to stdout, never to a terminal', async () => {
  expect((await run(['save', 'a:1', 'b'])).out).toBe('an archive of images');
  expect((await run(['export', 'web'])).out).toBe('a file system');
  expect(daemon.taken()).toEqual(['GET /images/get?names=a%3A1&names=b', 'GET /containers/web/export']);
  const err = 'cowardly refusing to save to a terminal. Use the -o flag or redirect\n';
  expect(await run(['save', 'a'], { terminal: 80 })).toMatchObject({ status: 1, err });
  expect(await run(['export', 'web'], { terminal: 80 })).toMatchObject({ status: 1, err });
  expect(daemon.taken()).toEqual([]);
});

test('diff has a letter and a path on each line', async () => {
  expect((await run(['diff', 'web'])).out).toBe('A /note\nC /bin\nD /bin/vi\n');
  expect(await run(['container', 'diff', 'new'])).toMatchObject({ status: 0, out: '', err: '' });
});

test('save -o writes a whole file or none', async () => {
  const path = join(daemon.directory, 'out.tar');
  expect(await run(['save', '-o', 'out.tar', 'a'])).toMatchObject({ status: 0, out: '', err: '' });
  expect(readFileSync(path, 'utf8')).toBe('an archive of images');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await run(['export', '-o', 'gone.tar', 'gone'])).err).toBe(
    'Error response from daemon: No such container: gone\n',
  );
  expect(existsSync(join(daemon.directory, 'gone.tar'))).toBe(false);
  expect(readdirSync(daemon.directory).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
});

test('a connection that breaks leaves the file that was there', async () => {
  const cut = new FakeDaemon({
    'GET /images/get': { type: 'application/x-tar', body: 'half of it', cut: true },
    'POST /images/create': { body: '{"status":"Pulling"}\n', cut: true },
  });
  await cut.listen();
  try {
    const path = join(cut.directory, 'old.tar');
    writeFileSync(path, 'old');
    expect(await runCli(cut, ['save', '-o', 'old.tar', 'a'])).toMatchObject({
      status: 1,
      err: 'unexpected EOF\n',
    });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(cut.directory).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
    expect(await runCli(cut, ['pull', 'a:1'])).toMatchObject({ status: 1, err: 'unexpected EOF\n' });
  } finally {
    cut.close();
  }
});

test.each([
  ['/nonexistent/x', 'invalid output path: stat /nonexistent: no such file or directory'],
  ['.', 'cannot write to a directory'],
  ['/dev/full', 'cannot write to a character device file'],
])('save -o %s is refused before anything is asked', async (output, why) => {
  const { status, err } = await run(['save', '-o', output, 'a']);
  expect({ status, err }).toEqual({ status: 1, err: `failed to save image: ${why}\n` });
  expect(daemon.taken()).toEqual([]);
});

test('commit', async () => {
  const id = `sha256:${'c'.repeat(64)}\n`;
  expect((await run(['commit', 'web'])).out).toBe(id);
  const argv = ['container', 'commit', '-p=false', '-a', 'me', '-m', 'hi', '-c', 'CMD x', 'web', 'team/x'];
  expect((await run(argv)).out).toBe(id);
  expect(daemon.requests.map(({ line, body }) => [line, body])).toEqual([
    ['POST /commit?author=&comment=&container=web&repo=&tag=', ''],
    [
      'POST /commit?author=me&changes=CMD+x&comment=hi&container=web&pause=0&repo=docker.io%2Fteam%2Fx&tag=latest',
      '',
    ],
  ]);
  const digest = `a@sha256:${'a'.repeat(64)}`;
  const err = 'refusing to create a tag with a digest reference\n';
  expect(await run(['commit', 'web', digest])).toMatchObject({ status: 1, err });
  expect(await run(['tag', 'a', digest])).toMatchObject({ status: 1, err });
});

test('who does not say y is left alone, without a word', async () => {
  const answer = await run(['image', 'prune'], { stdin: 'no\n' });
  expect(answer).toMatchObject({ status: 0, err: '' });
  expect(answer.out).toBe(
    'WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] ',
  );
  expect(daemon.taken()).toEqual([]);
});

test("a mistyped flag gets Docker's words and what was meant", async () => {
  expect(await run(['push', '--al-tags', 'x'])).toMatchObject({
    status: 125,
    err:
      'unknown flag: --al-tags\n\nDid you mean this?\n\t--all-tags\n\nUsage:  docker push [OPTIONS] NAME[:TAG]\n\n' +
      "Run 'docker push --help' for more information\n",
  });
});
