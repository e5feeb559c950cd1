import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { type CliRun, FakeDaemon, runCli } from '../../../test/support/cli/fake-daemon.ts';

// Expected: stock docker 28.2 against a registry with htpasswd (tester:secret), and a helper that keeps its entries in files.
const SUCCESS = { status: 200, body: { Status: 'Login Succeeded', IdentityToken: '' } };
const daemon = new FakeDaemon({ 'POST /auth': SUCCESS });
const path = join(daemon.config, 'config.json');
const helpers = join(daemon.directory, 'bin');
const kept = join(daemon.directory, 'kept');

beforeAll(async () => {
  await daemon.listen();
  mkdirSync(helpers);
  program(
    'test',
    `echo "$1" >> ${kept}.log
case $1 in
get) read -r s || :; cat ${kept}/$s 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;
store) mkdir -p ${kept}; cat > ${kept}/in; cp ${kept}/in ${kept}/$(sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' ${kept}/in);;
erase) read -r s || :; rm ${kept}/$s 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;
esac`,
  );
  program('bad', 'echo "oh no" >&2; echo "broken store"; exit 7');
});
afterAll(() => daemon.close());
beforeEach(() => {
  daemon.answers['POST /auth'] = SUCCESS;
  daemon.requests.length = 0;
  rmSync(daemon.config, { recursive: true, force: true });
  rmSync(kept, { recursive: true, force: true });
});

function program(name: string, script: string): void {
  const file = join(helpers, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

const PATH = `${helpers}:${process.env.PATH}`;
const run = (argv: string[], options: CliRun = {}) =>
  runCli(daemon, argv, { ...options, env: { PATH, ...options.env } });
const login = (...more: string[]) => run(['login', '-u', 'tester', '-p', 'secret', 'host:5732', ...more]);
const config = () => readFileSync(path, 'utf8');

function writeConfig(value: object): void {
  mkdirSync(daemon.config, { recursive: true });
  writeFileSync(path, JSON.stringify(value));
}

const INSECURE = 'WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n';
const UNENCRYPTED = `
WARNING! Your credentials are stored unencrypted in '${path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`;
const EXISTING = `Authenticating with existing credentials... [Username: tester]

 Info -> To login with a different account, run 'docker logout' followed by 'docker login'


`;
const STORED = '{\n\t"auths": {\n\t\t"host:5732": {\n\t\t\t"auth": "dGVzdGVyOnNlY3JldA=="\n\t\t}\n\t}\n}';

test('login keeps what the daemon could log in with, for its owner alone', async () => {
  expect(await login()).toMatchObject({
    status: 0,
    out: 'Login Succeeded\n',
    err: INSECURE + UNENCRYPTED,
  });
  expect(config()).toBe(STORED);
  expect([statSync(path).mode & 0o777, statSync(daemon.config).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(daemon.requests[0]?.body).toBe(
    '{"username":"tester","password":"secret","serveraddress":"host:5732"}\n',
  );
  expect(readdirSync(daemon.config)).toEqual(['config.json']);
});

test('login without a name takes the stored one', async () => {
  await login();
  expect(await run(['login', 'https://host:5732/v2/'])).toMatchObject({
    status: 0,
    out: 'Login Succeeded\n',
    err: EXISTING,
  });
});

test('a password from stdin loses its line end only', async () => {
  await run(['login', '-u', 'tester', '--password-stdin', 'host:5732'], { stdin: ' sec ret \r\n' });
  expect(daemon.requests[0]?.body).toContain('"password":"sec ret"');
});

test('login asks on a terminal, the password unseen', async () => {
  const { out, status, echo } = await run(['login', 'host:5732'], {
    stdin: 'tester\nsecret\n',
    terminal: 80,
  });
  expect({ out, status, echo }).toEqual({
    out: 'Username: Password: \nLogin Succeeded\n',
    status: 0,
    echo: [false, true],
  });
  expect(config()).toBe(STORED);
});

test.each([
  [['login', 'h'], '', 'Error: Cannot perform an interactive login from a non TTY device\n'],
  [['login', '-u', '', 'h'], '', 'username is empty\n'],
  [['login', '-p', '', 'h'], '', 'password is empty\n'],
  [['login', '--password-stdin', 'h'], '', 'the --password-stdin option requires --username to be set\n'],
  [
    ['login', '-u', 'x', '-p', 'y', '--password-stdin', 'h'],
    '',
    'conflicting options: cannot specify both --password and --password-stdin\n',
  ],
])('%p is refused', async (argv, stdin, err) => {
  expect(await run(argv, { stdin })).toMatchObject({ status: 1, err });
  expect(daemon.taken()).toEqual([]);
});

test.each([
  ['\n', 'Error: Non-null Username Required\n'],
  ['tester\n\n', 'Error: Password Required\n'],
])('an empty answer is refused', async (stdin, err) => {
  expect(await run(['login', 'h'], { stdin, terminal: 80 })).toMatchObject({ status: 1, err });
});

test("a refusal is the daemon's, and nothing is kept", async () => {
  const message = 'login attempt to http://host:5732/v2/ failed with status: 401 Unauthorized';
  daemon.answers['POST /auth'] = { status: 401, body: { message } };
  expect((await login()).err).toBe(`${INSECURE}Error response from daemon: ${message}\n`);
  expect(() => config()).toThrow();
});

test('a token takes the place of the password', async () => {
  daemon.answers['POST /auth'] = { body: { Status: 'Login Succeeded', IdentityToken: 'tok' } };
  expect((await login()).err).toBe(INSECURE);
  expect(config()).toContain('"auth": "dGVzdGVyOg==",\n\t\t\t"identitytoken": "tok"');
});

test('a configuration that is no JSON is left as it is', async () => {
  mkdirSync(daemon.config);
  writeFileSync(path, '{bad');
  expect((await login()).status).toBe(1);
  expect(config()).toBe('{bad');
});

test('a symbolic link stays one', async () => {
  mkdirSync(daemon.config);
  const target = join(daemon.directory, 'elsewhere.json');
  writeFileSync(target, '{}', { mode: 0o640 });
  chmodSync(target, 0o640);
  symlinkSync('../elsewhere.json', path);
  await login();
  expect(readFileSync(target, 'utf8')).toBe(STORED);
  expect(statSync(target).mode & 0o777).toBe(0o640);
});

test('logout forgets, under every name that was in use', async () => {
  writeConfig({ auths: { 'https://host': { auth: 'eDp5' }, host: { auth: 'eDp5' }, other: {} }, more: 1 });
  expect(await run(['logout', 'https://host/v1/'])).toMatchObject({
    status: 0,
    out: 'Removing login credentials for host\n',
    err: '',
  });
  expect(JSON.parse(config())).toEqual({ auths: { other: {} }, more: 1 });
  expect((await run(['logout'])).out).toBe('Removing login credentials for https://index.docker.io/v1/\n');
});

test('a helper keeps the secret, the configuration only that there is one', async () => {
  writeConfig({ credsStore: 'test' });
  expect((await login()).err).toBe(INSECURE);
  expect(config()).toBe('{\n\t"auths": {\n\t\t"host:5732": {}\n\t},\n\t"credsStore": "test"\n}');
  expect(readFileSync(join(kept, 'in'), 'utf8')).toBe(
    '{"ServerURL":"host:5732","Username":"tester","Secret":"secret"}\n',
  );
  expect((await run(['login', 'host:5732'])).err).toBe(EXISTING);
  await run(['pull', '-q', 'host:5732/x']);
  expect(daemon.requests.at(-1)?.headers['x-registry-auth']).toBe(
    Buffer.from('{"username":"tester","password":"secret","serveraddress":"host:5732"}').toString('base64'),
  );
  await run(['logout', 'host:5732']);
  expect(JSON.parse(config())).toEqual({ auths: {}, credsStore: 'test' });
  expect(readdirSync(kept)).toEqual(['in']);
});

test('a helper of one registry goes before the rest; its token is sent as one', async () => {
  writeConfig({ credsStore: 'bad', credHelpers: { 'host:5732': 'test' } });
  mkdirSync(kept);
  writeFileSync(join(kept, 'host:5732'), '{"ServerURL":"host:5732","Username":"<token>","Secret":"tok"}');
  await run(['pull', '-q', 'host:5732/x']);
  expect(daemon.requests.at(-1)?.headers['x-registry-auth']).toBe(
    Buffer.from('{"serveraddress":"host:5732","identitytoken":"tok"}').toString('base64'),
  );
});

test('a helper that lies in the folder where the user is does not run', async () => {
  const file = join(daemon.directory, 'docker-credential-near');
  writeFileSync(file, `#!/bin/sh\ntouch ${daemon.directory}/ran\n`, { mode: 0o755 });
  writeConfig({ credsStore: 'near' });
  const { err, status } = await run(['login', '-u', 'tester', '-p', 'secret', 'host:5732'], {
    env: { PATH: `${relative(process.cwd(), daemon.directory)}:${process.env.PATH}` },
  });
  expect(status).toBe(1);
  expect(err).toEndWith(
    'exec: "docker-credential-near": cannot run executable found relative to current directory, out: ``\n',
  );
  expect(existsSync(join(daemon.directory, 'ran'))).toBe(false);
});

const BROKEN = 'err: exit status 7, out: `broken store`';
const ABSENT = 'err: exec: "docker-credential-none": executable file not found in $PATH, out: ``';

test.each([
  ['bad', 'oh no\n', BROKEN],
  ['none', '', ABSENT],
])('helper %s that fails is told', async (credsStore, noise, why) => {
  writeConfig({ credsStore });
  expect(await login()).toMatchObject({
    status: 1,
    err: `${INSECURE}${noise}Error saving credentials: error storing credentials - ${why}\n`,
  });
  expect((await run(['logout', 'x.y/z'])).err).toBe(
    `${noise.repeat(4)}WARNING: could not erase credentials:\n${['x.y/z', 'x.y', 'http://x.y', 'https://x.y']
      .map((server) => `${server}: error erasing credentials - ${why}\n`)
      .join('')}`,
  );
  daemon.answers['POST /images/create'] = { body: '' };
  expect(await run(['pull', '-q', 'x.y/z:1'])).toMatchObject({ status: 0, err: noise, out: 'x.y/z:1\n' });
  daemon.answers['POST /containers/create'] = { status: 404, body: { message: 'No such image: x.y/z:1' } };
  expect((await run(['create', 'x.y/z:1'])).err).toContain(`error getting credentials - ${why}`);
});

// As docker 28.5, the first to know it.
test('DOCKER_AUTH_CONFIG goes before all that is kept', async () => {
  writeConfig({ auths: { 'host:5732': { auth: 'eDp5' }, other: { auth: 'eDp5' } } });
  const env = { DOCKER_AUTH_CONFIG: '{"auths":{"host:5732":{"auth":"dGVzdGVyOnNlY3JldA=="}}}' };
  await run(['pull', '-q', 'host:5732/x'], { env });
  await run(['pull', '-q', 'other/x:1'], { env });
  await run(['pull', '-q', 'host:5732/x'], { env: { DOCKER_AUTH_CONFIG: '{bad secret' } });
  expect(
    daemon.requests.map(({ headers }) =>
      Buffer.from(String(headers['x-registry-auth']), 'base64').toString(),
    ),
  ).toEqual([
    '{"username":"tester","password":"secret","serveraddress":"host:5732"}',
    '{}',
    '{"username":"x","password":"y","serveraddress":"host:5732"}',
  ]);
  const { err } = await run(['logout', 'other'], { env });
  expect(err).toBe(
    '\n Warn -> DOCKER_AUTH_CONFIG is set and takes precedence.\n' +
      '         Unset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour.\n         \n',
  );
});

test.each([
  ['{bad secret', 'invalid JSON'],
  ['{"auths":{"h":{"auth":""}}}', 'DOCKER_AUTH_CONFIG environment variable is missing key `auth` for h'],
  ['{"auths":{"h":{"auth":"eDp5","password":"secret"}}}', 'json: unknown field "password"'],
  ['{"auths":{"h":{"auth":"!secret"}}}', 'illegal base64 data at input byte 0'],
])('DOCKER_AUTH_CONFIG=%s is warned of, its secrets unquoted', async (text, why) => {
  const { err } = await run(['pull', '-q', 'h/x'], { env: { DOCKER_AUTH_CONFIG: text } });
  expect(err).toStartWith(`Failed to create credential store from DOCKER_AUTH_CONFIG:  ${why}\n`);
});
