import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildLeftovers } from '../support/engine/build-leftovers.ts';
import { eventually, must, run } from '../support/engine/command.ts';
import { copyHostProgram } from '../support/engine/host-program.ts';
import { BuildFixture } from './build/build-fixture.ts';
import { BUILDERS, builderOf } from './build/builders.ts';

const work = mkdtempSync(join(tmpdir(), 'agents-'));
const socket = join(work, 'agent.sock');
let fixture: BuildFixture;
let agent: Bun.Subprocess;
let project: string;

beforeAll(async () => {
  fixture = await BuildFixture.start();
  agent = Bun.spawn(['ssh-agent', '-D', '-a', socket], { stdio: ['ignore', 'ignore', 'ignore'] });
  for (const name of ['held', 'other']) {
    await must(['ssh-keygen', '-q', '-N', '', '-C', name, '-t', 'ed25519', '-f', join(work, name)]);
  }
  await eventually(async () => (await run(['ssh-add', '-l'], { env: { SSH_AUTH_SOCK: socket } })).code < 2, {
    what: () => 'the agent',
  });
  await must(['ssh-add', '-q', join(work, 'held')], { env: { SSH_AUTH_SOCK: socket } });
  project = fixture.project({
    Dockerfile: [
      'FROM busybox',
      'COPY root/ /',
      'RUN --mount=type=ssh ssh-add -L',
      'RUN --mount=type=ssh,id=default ssh-add -D || echo "not removed"',
      '',
    ].join('\n'),
  });
  await copyHostProgram('ssh-add', join(project, 'root'));
}, 300_000);

afterAll(async () => {
  agent?.kill();
  await agent?.exited;
  await fixture?.close();
  rmSync(work, { recursive: true, force: true });
}, 300_000);

/** `ssh-ed25519 AAAA…` */
function publicKey(name: string): string {
  return readFileSync(join(work, `${name}.pub`), 'utf8')
    .split(' ')
    .slice(0, 2)
    .join(' ');
}

describe.each(BUILDERS)('%s', (name) => {
  const build = builderOf(() => fixture, name);
  const nothingLeft = async () =>
    await eventually(() => buildLeftovers(fixture.daemon).length === 0, {
      what: () => buildLeftovers(fixture.daemon).join('\n'),
    });

  test.each(['default', `default=${socket}`])(
    'ssh-add in a RUN lists the keys of the agent of --ssh %s, and removes none',
    async (value) => {
      const built = await build(['--no-cache', '--ssh', value, project], { SSH_AUTH_SOCK: socket });
      expect(built, built.stderr).toMatchObject({ code: 0 });
      expect(built.stderr).toContain(publicKey('held'));
      expect(built.stderr).not.toContain(publicKey('other'));
      expect(built.stderr).toContain('not removed');
      const kept = await must(['ssh-add', '-L'], { env: { SSH_AUTH_SOCK: socket } });
      expect(kept).toContain(publicKey('held'));
      await nothingLeft();
    },
    300_000,
  );

  test('keys of files are an agent too', async () => {
    const keys = `${join(work, 'held')},${join(work, 'other')}`;
    const built = await build(['--no-cache', '--ssh', `default=${keys}`, project]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    for (const key of ['held', 'other']) expect(built.stderr).toContain(publicKey(key));
    await nothingLeft();
  }, 300_000);

  test('a RUN without an agent has no socket, and one that requires it fails', async () => {
    const without = await build(['--no-cache', project]);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain('Could not open a connection to your authentication agent.');
    const required = fixture.project({
      Dockerfile: 'FROM busybox\nRUN --mount=type=ssh,id=mine,required true\n',
    });
    for (const args of [[], ['--ssh', `default=${socket}`]]) {
      const refused = await build(['--no-cache', ...args, required]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('unset ssh forward key mine');
    }
    await nothingLeft();
  }, 300_000);

  test('what is no agent is refused before anything is sent', async () => {
    const refusal = async (...values: string[]) => {
      const refused = await build([...values.flatMap((value) => ['--ssh', value]), project]);
      expect(refused.code).not.toBe(0);
      return refused.stderr;
    };
    expect(await refusal('default')).toContain('invalid empty ssh agent socket');
    expect(await refusal(`default=${work}/none`)).toContain('no such file or directory');
    expect(await refusal(`default=${work}/held.pub`)).toContain('ssh: no key found');
    expect(await refusal(`default=${socket},${work}/held`)).toContain('only single socket allowed');
    expect(await refusal(`a=${socket}`, `a=${socket}`)).toContain('duplicate agent ID "a"');
  }, 300_000);

  test('an agent that dies while a RUN waits for it ends that RUN’s connection, not the engine', async () => {
    const silent = join(work, `silent-${name}`);
    const connected = Promise.withResolvers<Bun.Socket>();
    const server = Bun.listen({
      unix: silent,
      socket: { open: (one) => connected.resolve(one), data: () => undefined },
    });
    try {
      const building = build(['--no-cache', '--ssh', `default=${silent}`, project]);
      (await connected.promise).end();
      server.stop(true);
      const built = await building;
      expect(built.code).not.toBe(0);
      expect(built.stderr).toContain('ssh-add -L');
      await nothingLeft();
    } finally {
      server.stop(true);
    }
  }, 300_000);
});
