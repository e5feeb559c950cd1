import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './program.ts';
import type { Sink } from './terminal/sink.ts';

// A daemon with answers as Docker 28.5 gives them; the expected texts are what the stock client 28.2 makes of them.
const NOW = Math.floor(Date.now() / 1000);
const CONTAINER = {
  Id: '273246846bdcaf8b828a1a3ae275563ddfeb27b893de5baa01b16267d09905b5',
  Names: ['/web', '/other/alias'],
  Image: 'app:1',
  ImageID: 'sha256:395438882a7e4f3b80ccadf22dc529c416a0cb6a369119b22db53a2617a685e4',
  Command: "/bin/sh -c 'echo a >&2; sleep 1'",
  Created: NOW - 200,
  Ports: [
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 443, Type: 'tcp' },
    { PrivatePort: 444, Type: 'tcp' },
  ],
  Labels: { b: 'c', a: 'x' },
  State: 'running',
  Status: 'Up 3 minutes',
  Mounts: [],
};
const IMAGE = {
  Id: 'sha256:395438882a7e4f3b80ccadf22dc529c416a0cb6a369119b22db53a2617a685e4',
  RepoTags: ['app:1'],
  RepoDigests: [],
  Created: NOW - 90_000,
  Size: 1982555,
  SharedSize: -1,
  Containers: -1,
  Labels: null,
};
const ANSWERS: Record<string, unknown> = {
  '/containers/json': [CONTAINER],
  '/images/json': [IMAGE],
  '/containers/web/json': { Id: CONTAINER.Id, State: { Running: true }, Config: { Labels: { a: 'x' } } },
};

const directory = mkdtempSync(join(tmpdir(), 'sampan-cli-'));
const socket = join(directory, 's');
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('Api-Version', '1.51');
    const path = (request.url ?? '').replace(/^\/v1\.51/, '').replace(/\?.*/, '');
    if (path === '/_ping') return void response.end();
    const answer = ANSWERS[path];
    const name = path.split('/')[2];
    response.statusCode = answer === undefined ? 404 : 200;
    response.end(JSON.stringify(answer ?? { message: `No such container: ${name}` }));
  });
  await new Promise<void>((resolve) => {
    server.listen(socket, resolve);
  });
});
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

function memorySink(into: string[]): Sink {
  const decoder = new TextDecoder();
  return {
    isTerminal: false,
    size: () => ({ width: 0, height: 0 }),
    write: async (data) => void into.push(typeof data === 'string' ? data : decoder.decode(data)),
  };
}

async function run(argv: string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await runProgram({
    program: 'docker',
    argv,
    env: { DOCKER_HOST: `unix://${socket}`, HOME: directory, ...env },
    cwd: directory,
    stdin: {
      isTerminal: false,
      chunks: async function* () {},
      setRaw: async () => undefined,
      setEcho: async () => undefined,
    },
    stdout: memorySink(out),
    stderr: memorySink(err),
  });
  return { status, out: out.join(''), err: err.join('') };
}

test('ps lays its table out as Docker does', async () => {
  const expected = [
    'CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS                                               NAMES',
    `273246846bdc   app:1     "/bin/sh -c 'echo a …"   3 minutes ago   Up 3 minutes   443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp   web`,
  ];
  const { out, status } = await run(['ps']);
  expect(status).toBe(0);
  const [header = '', row = ''] = out.trimEnd().split('\n');
  expect(row).toBe(expected[1] ?? '');
  expect(header.replace(/ +/g, ' ')).toBe((expected[0] ?? '').replace(/ +/g, ' '));
  expect(header.indexOf('NAMES')).toBe(row.lastIndexOf('web'));
});

test.each([
  [['container', 'ls', '-q'], '273246846bdc\n'],
  [['container', 'list', '--format', 'table {{.Names}}\\t{{.Label "a"}}'], 'NAMES     a\nweb       x\n'],
  [['ps', '--format', '{{.Names}} {{.Labels}}', '--no-trunc'], 'web,other/alias a=x,b=c\n'],
  [
    ['images'],
    'REPOSITORY   TAG       IMAGE ID       CREATED        SIZE\napp          1         395438882a7e   25 hours ago   1.98MB\n',
  ],
  [['image', 'ls', '-q', '--no-trunc'], `${IMAGE.Id}\n`],
  [['inspect', '-f', '{{.State.Running}} {{json .Config.Labels}}', 'web'], 'true {"a":"x"}\n'],
] as [string[], string][])('%p', async (argv, out) => {
  expect(await run(argv)).toEqual({ status: 0, out, err: '' });
});

test.each([
  [['rm', 'nope'], 1, 'Error response from daemon: No such container: nope\n'],
  [['rm', '-f', 'nope'], 0, 'Error response from daemon: No such container: nope\n'],
  [
    ['ps', 'x'],
    1,
    "docker: 'docker ps' accepts no arguments\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information\n",
  ],
  [
    ['rm'],
    1,
    "docker: 'docker rm' requires at least 1 argument\n\nUsage:  docker rm [OPTIONS] CONTAINER [CONTAINER...]\n\nSee 'docker rm --help' for more information\n",
  ],
  [
    ['run', '-Q', 'x'],
    125,
    "unknown shorthand flag: 'Q' in -Q\n\nUsage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'docker run --help' for more information\n",
  ],
  [
    ['run', 'UPPER'],
    125,
    "docker: invalid reference format: repository name (library/UPPER) must be lowercase\n\nRun 'docker run --help' for more information\n",
  ],
  [['run', '-it', 'x'], 1, 'the input device is not a TTY\n'],
  [['start', '-a', 'a', 'b'], 1, 'you cannot start and attach multiple containers at once\n'],
  [['ps', '--format', '{{.ID'], 1, 'failed to parse template: template: :1: unclosed action\n'],
  [
    ['-H', 'foo://x', 'ps'],
    1,
    'Failed to initialize: unable to resolve docker endpoint: invalid bind address format: foo://x\n',
  ],
  [
    ['-H', 'unix:///nonexistent.sock', 'ps'],
    1,
    'Cannot connect to the Docker daemon at unix:///nonexistent.sock. Is the docker daemon running?\n',
  ],
  [['-l', 'foo', 'ps'], 1, 'Unable to parse logging level: foo\n'],
] as [string[], number, string][])("%p fails in Docker's words", async (argv, status, err) => {
  expect(await run(argv)).toEqual({ status, out: '', err });
});

test('a mistyped command or flag gets a suggestion', async () => {
  expect((await run(['rnu'])).err).toContain('Did you mean this?\n\tdocker run\n');
  expect((await run(['container', 'lsit'])).err).toContain('\tdocker container list\n');
  expect((await run(['run', '--nmae', 'x'])).err).toContain('Did you mean this?\n\t--name\n');
});

test('-h is help, with a word on its future, where nothing else is', async () => {
  for (const argv of [['-h'], ['pull', '-h'], ['image', '-h'], ['ps', '-ah']]) {
    const { status, out, err } = await run(argv);
    expect([status, err]).toEqual([0, 'Flag shorthand -h has been deprecated, use --help\n']);
    expect(out).toStartWith('Usage:  docker ');
  }
  expect((await run(['run', '-h'])).err).toStartWith("flag needs an argument: 'h' in -h\n");
  expect((await run(['pull', '-xh'])).err).toStartWith("unknown shorthand flag: 'x' in -xh\n");
});

test('every command shows its help', async () => {
  const { CATALOG } = await import('./catalog.ts');
  for (const path of CATALOG.flatMap((entry) => entry.paths)) {
    const { status, out } = await run([...path.split(' '), '--help']);
    expect([path, status]).toEqual([path, 0]);
    expect(out).toStartWith('Usage:  docker ');
  }
});

test('flags of run with senseless values are refused before the daemon is asked', async () => {
  for (const [flag, value, text] of [
    ['--dns', 'bad', 'IP address is not correctly formatted: bad'],
    ['--dns', 'fe80::1%eth0', 'IP address is not correctly formatted: fe80::1%eth0'],
    ['--dns-search', 'a_b.c', 'a_b.c is not a valid domain'],
    ['-v', ':/x', 'invalid spec: :/x: empty section between colons'],
    ['-v', '/x:/y:', 'invalid spec: /x:/y:: empty section between colons'],
    ['--cidfile', '/', "container ID file found, make sure the other container isn't running or delete /"],
    ['--detach-keys', 'bogus,,', 'invalid detach keys (bogus,,)'],
  ] as const) {
    const { status, err } = await run(['run', flag, value, 'x']);
    expect(err).toContain(text);
    expect(status).toBeGreaterThan(0);
  }
});
