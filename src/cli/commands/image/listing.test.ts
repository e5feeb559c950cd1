import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliRun, FakeDaemon, runCli } from '../../../../test/support/cli/fake-daemon.ts';
import { imageAnswers } from '../../../../test/support/cli/image-answers.ts';

// Expected: what the stock clients 28.2 and 28.5 print of the same answers.
const daemon = new FakeDaemon(imageAnswers(Math.floor(Date.now() / 1000)));
beforeAll(() => daemon.listen());
afterAll(() => daemon.close());
beforeEach(() => {
  daemon.taken();
  rmSync(daemon.config, { recursive: true, force: true });
});

const run = (argv: string[], options: CliRun = {}) => runCli(daemon, argv, options);

function writeConfig(text: string): void {
  mkdirSync(daemon.config, { recursive: true });
  writeFileSync(join(daemon.config, 'config.json'), text);
}

const TREE = [
  "\x1b[93mWARNING: This is an experimental feature. The output may change and shouldn't be depended on.\x1b[0m",
  '                                                           \x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo → \x1b[0m\x1b[0m \x1b[38;5;0m\x1b[48;5;14m U \x1b[0m In Use ',
  '',
  '\x1b[39m\x1b[1mIMAGE\x1b[0m                           \x1b[39m\x1b[1mID\x1b[0m             \x1b[39m\x1b[1mDISK USAGE\x1b[0m   \x1b[39m\x1b[1mCONTENT SIZE\x1b[0m   \x1b[39m\x1b[1mEXTRA\x1b[0m',
  '\x1b[34m\x1b[1mregistry.example.com/team/application-server:2.4.1\x1b[0m',
  '\x1b[34m\x1b[1mapp:1\x1b[0m                           \x1b[39maaaaaaaaaaaa\x1b[0m       \x1b[39m48.3MB\x1b[0m          \x1b[39m4.3MB\x1b[0m   \x1b[38;5;0m\x1b[48;5;14m U \x1b[0m  ',
  '\x1b[39m├─ linux/amd64\x1b[0m                  \x1b[39mbbbbbbbbbbbb\x1b[0m         \x1b[39m44MB\x1b[0m          \x1b[39m3.3MB\x1b[0m   \x1b[38;5;0m\x1b[48;5;14m U \x1b[0m  ',
  '\x1b[39m\x1b[2m└─ linux/arm64/v8\x1b[0m               \x1b[39m\x1b[2mcccccccccccc\x1b[0m           \x1b[39m\x1b[2m0B\x1b[0m             \x1b[39m\x1b[2m0B\x1b[0m        ',
  '',
  '\x1b[34m\x1b[1mbase:latest\x1b[0m                     \x1b[39meeeeeeeeeeee\x1b[0m       \x1b[39m1.98MB\x1b[0m             \x1b[39m0B\x1b[0m        ',
  '',
  '',
];

test('image ls --tree shows platforms, what is in use and what is missing', async () => {
  expect((await run(['image', 'ls', '--tree'], { terminal: 80 })).out).toBe(TREE.join('\n'));
  expect(daemon.taken()).toEqual(['GET /images/json?manifests=1']);
  const piped = (await run(['images', '--tree', '-a'])).out.split('\n');
  expect(piped.slice(1, 3)).toEqual([`${' '.repeat(62)}Info ->  U In Use `, '']);
  expect(piped.at(-3)).toBe(
    '<untagged>                      ffffffffffff       1.98MB             0B        ',
  );
});

test.each([
  ['--quiet', '--quiet is not yet supported with --tree\n'],
  ['--digests', '--show-digest is not yet supported with --tree\n'],
  ['--format=x', '--format is not yet supported with --tree\n'],
])('image ls --tree refuses %s', async (flag, err) => {
  expect(await run(['images', '--tree', flag])).toMatchObject({ status: 1, err });
});

test('images finds its format in the configuration; -q and --format go before it', async () => {
  writeConfig('{"imagesFormat": "{{.ID}} {{.Size}}", "other": 1}');
  expect((await run(['images'])).out).toBe(
    'aaaaaaaaaaaa 48.3MB\naaaaaaaaaaaa 48.3MB\neeeeeeeeeeee 1.98MB\nffffffffffff 1.98MB\n',
  );
  expect((await run(['images', '-q'])).out).toBe('aaaaaaaaaaaa\naaaaaaaaaaaa\neeeeeeeeeeee\nffffffffffff\n');
  expect((await run(['images', '--format', 'table{{.Tag}}'])).out).toBe('TAG\n2.4.1\n1\nlatest\n<none>\n');
});

test('a configuration that is none is warned of', async () => {
  writeConfig('{"auths": {"h": {"auth": c2VjcmV0');
  const { err, status } = await run(['images']);
  expect(err).toBe(`WARNING: Error parsing config file (${daemon.config}/config.json): invalid JSON\n`);
  expect(status).toBe(0);
});

test.each([
  [
    ['images', '--format', '{{.Nope}}'],
    'template parsing error: template: :1:2: executing "" at <.Nope>: can\'t evaluate field Nope in type *formatter.imageContext\n',
  ],
  [['images', '--format', '{{'], 'template parsing error: template: :1: unclosed action\n'],
])('%p fails in words of Docker', async (argv, err) => {
  expect(await run(argv)).toMatchObject({ status: 1, err });
});

test('images of a name that is a verb and no image says what was meant', async () => {
  const empty = new FakeDaemon({ 'GET /images/json': { body: [] } });
  await empty.listen();
  try {
    const err = '\nNo images found matching "ls": did you mean "docker image ls"?\n';
    expect(await runCli(empty, ['images', 'ls'])).toMatchObject({ status: 0, err });
    expect(empty.taken()).toEqual(['GET /images/json?filters=%7B%22reference%22%3A%7B%22ls%22%3Atrue%7D%7D']);
    expect((await runCli(empty, ['image', 'ls', 'ls'])).err).toBe('');
  } finally {
    empty.close();
  }
});

test('search', async () => {
  expect((await run(['search', 'box'])).out).toBe(
    'NAME      DESCRIPTION                                     STARS     OFFICIAL\n' +
      'busybox   Busybox base image. Small, and then some mor…   3321      [OK]\n' +
      'me/box                                                    0         \n',
  );
  expect((await run(['search', '--format', 'json', '--no-trunc', 'me/box'])).out).toBe(
    '{"Description":"Busybox base image. Small, and then some more words so that it is cut","IsOfficial":"true","Name":"busybox","StarCount":"3321"}\n' +
      '{"Description":"","IsOfficial":"false","Name":"me/box","StarCount":"0"}\n',
  );
  daemon.taken();
  await run(['search', '--limit', '5', '-f', 'is-official=true', '-f', 'stars=3', 'localhost:5000/x']);
  const [request] = daemon.requests;
  expect(request?.line).toBe(
    'GET /images/search?filters=%7B%22is-official%22%3A%7B%22true%22%3Atrue%7D%2C%22stars%22%3A%7B%223%22%3Atrue%7D%7D&limit=5&term=localhost%3A5000%2Fx',
  );
  expect(request?.headers['x-registry-auth']).toBe('e30=');
});

test('search lets no text of a registry steer the terminal', async () => {
  const key = 'GET /images/search';
  const before = daemon.answers[key];
  const hostile = { name: 'a\x1b[2J', description: 'b\x1b]0;c\x07\u202e', star_count: 0, is_official: false };
  daemon.answers[key] = { body: [hostile] };
  expect((await run(['search', '--no-trunc', 'x'])).out).toBe(
    'NAME       DESCRIPTION           STARS     OFFICIAL\n' +
      'a\\x1b[2J   b\\x1b]0;c\\x07\\u202e   0         \n',
  );
  expect(JSON.parse((await run(['search', '--format', 'json', 'x'])).out)).toMatchObject({
    Name: hostile.name,
  });
  if (before !== undefined) daemon.answers[key] = before;
});

test('system df', async () => {
  expect((await run(['system', 'df'])).out).toBe(
    'TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\n' +
      'Images          3         1         50.28MB   3.483MB (6%)\n' +
      'Containers      2         1         3.048kB   1kB (32%)\n' +
      'Local Volumes   2         1         5.3kB     300B (5%)\n' +
      'Build Cache     2         1         12.35MB   12.35MB\n',
  );
  expect((await run(['system', 'df', '--format', '{{json .}}'])).out.split('\n')[1]).toBe(
    '{"Active":"1","Reclaimable":"1kB (32%)","Size":"3.048kB","TotalCount":"2","Type":"Containers"}',
  );
});

const VERBOSE = `Images space usage:

REPOSITORY                                     TAG       IMAGE ID       CREATED         SIZE      SHARED SIZE   UNIQUE SIZE   CONTAINERS
registry.example.com/team/application-server   2.4.1     aaaaaaaaaaaa   3 minutes ago   48.3MB    1.5MB         46.8MB        1
base                                           latest    eeeeeeeeeeee   25 hours ago    1.98MB    0B            1.983MB       0
<none>                                         <none>    ffffffffffff   2 months ago    1.98MB    0B            1.983MB       0

Containers space usage:

CONTAINER ID   IMAGE     COMMAND                  LOCAL VOLUMES   SIZE      CREATED              STATUS                  NAMES
111111111111   app:1     "serve --port 80 --v…"   1               2.05kB    About a minute ago   Up 3 minutes            web
222222222222   app:1     "serve --port 80 --v…"   0               1kB       About a minute ago   Exited (0) 2 days ago   old

Local Volumes space usage:

VOLUME NAME   LINKS     SIZE
data          1         5kB
spare         0         300B

Build cache usage: 12.35MB

CACHE ID        CACHE TYPE   SIZE      CREATED       LAST USED           USAGE     SHARED
bbcdefghijkl*   regular      999B      2 hours ago                       0         true
abcdefghijkl    regular      12.3MB    2 hours ago   About an hour ago   3         false
`;

test('system df -v', async () => {
  expect((await run(['system', 'df', '-v'])).out).toBe(VERBOSE);
  expect((await run(['system', 'df', '-v', '--format', '{{range .Volumes}}{{.Name}} {{end}}'])).out).toBe(
    'data spare ',
  );
  expect((await run(['system', 'df', '-v', '--format', 'json'])).out).toStartWith(
    '{"Images":[{"Containers":"1",',
  );
});

test.each([
  [['save', '--platform', 'linux/amd64', 'x'], '"--platform" requires API version 1.48'],
  [['push', '--platform', 'linux/amd64', 'x'], '"--platform" requires API version 1.46'],
  [['history', '--platform', 'linux/amd64', 'x'], '"--platform" requires API version 1.48'],
  [['image', 'inspect', '--platform', 'linux/amd64', 'x'], '"--platform" requires API version 1.49'],
  [['rmi', '--platform', 'linux/amd64', 'x'], '"--platform" requires API version 1.50'],
  [['images', '--tree'], '"--tree" requires API version 1.47'],
  [['system', 'df'], 'docker system df requires API version 1.25'],
])('%p of an old daemon is refused', async (argv, why) => {
  expect(await run(argv, { env: { DOCKER_API_VERSION: '1.24' } })).toMatchObject({
    status: 1,
    out: '',
    err: `${why}, but the Docker daemon API version is 1.24\n`,
  });
  expect(daemon.taken()).toEqual([]);
});
