import { afterAll, beforeAll, expect, test } from 'bun:test';
import { FakeDaemon, runCli } from '../../../../test/support/cli/fake-daemon.ts';

const DENIED = "pull access denied for x, repository does not exist or may require 'docker login'";
let daemon: FakeDaemon;

beforeAll(async () => {
  daemon = new FakeDaemon({
    'POST /containers/create': { status: 404, body: { message: 'No such image: x:latest' } },
    'POST /images/create': { status: 404, body: { message: DENIED } },
    'GET /images/here/json': { body: { Id: 'sha256:a' } },
    'GET /images/here:1/json': { body: { Id: 'sha256:a' } },
    'GET /images/team/here/json': { body: { Id: 'sha256:a' } },
  });
  await daemon.listen();
});
afterAll(() => daemon.close());

async function hint(args: string[], verb = 'run'): Promise<string | undefined> {
  const { status, err } = await runCli(daemon, [verb, ...args]);
  expect(status).toBe(verb === 'run' ? 125 : 1);
  return /^Did you mean '(.*)'\?$/m.exec(err)?.[1];
}

test('a path behind the image is told of beside what Docker says', async () => {
  expect((await runCli(daemon, ['run', '--rm', 'node/bin/echo', 'hello'])).err).toBe(
    `Unable to find image 'node/bin/echo:latest' locally
docker: Error response from daemon: ${DENIED}
Did you mean 'node /bin/echo hello'?

Run 'docker run --help' for more information
`,
  );
});

test.each([
  [['node/usr/local/bin/node', '-e', 'a b'], 'node /usr/local/bin/node -e "a b"'],
  [['reg.lan:5000/app/bin/sh'], 'reg.lan:5000/app /bin/sh'],
  [['node:20/bin/echo', 'hi'], 'node:20 /bin/echo hi'],
  [['here/start'], 'here /start'],
  [['team/here/start', 'now'], 'team/here /start now'],
  [['here:1/start'], 'here:1 /start'],
])('%p', async (args, meant) => {
  expect(await hint(args)).toBe(meant);
  expect(await hint(args, 'create')).toBe(meant);
});

test.each([
  [['team/app']],
  [['reg.lan/bin/sh']],
  [['localhost/bin/tool']],
  [['reg.lan:5000/team/app:1']],
  [['bin/tool']],
  [['nothing:1/start']],
  [['Upper/start']],
])('no hint for %p', async (args) => {
  expect(await hint(args)).toBeUndefined();
});

test('without a pull it is told of too, and other failures are left as they are', async () => {
  expect(await hint(['--pull', 'never', 'node/bin/echo'])).toBe('node /bin/echo');
  expect(await hint(['--pull', 'sometimes', 'node/bin/echo'])).toBeUndefined();
});
