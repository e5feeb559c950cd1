import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/engine/command.ts';
import { oldDocker } from '../support/engine/stock-docker.ts';
import { BuildFixture } from './build/build-fixture.ts';

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

const build = async (args: readonly string[], env: Record<string, string> = {}) =>
  await fixture.daemon.run(['build', '--progress', 'plain', ...args], { env, timeoutMs: 100_000 });

/** Clients whose BuildKit client is their own. */
const clients: [
  string,
  (args: readonly string[], env?: Record<string, string>) => ReturnType<typeof build>,
][] = [['buildx', build]];
const old = oldDocker();
if (old !== undefined)
  clients.push([
    '20.10',
    async (args, env = {}) =>
      await run([old, '--config', fixture.output(), 'build', '--progress', 'plain', ...args], {
        env: { ...fixture.daemon.env, DOCKER_BUILDKIT: '1', ...env },
        timeoutMs: 100_000,
      }),
  ]);

describe.each(clients)('%s', (name, client) => {
  test('secrets: of a file and of the environment; a missing one is told', async () => {
    const folder = fixture.project({
      Dockerfile:
        'FROM busybox\nRUN --mount=type=secret,id=file,required cat /run/secrets/file > /seen\n' +
        'RUN --mount=type=secret,id=of-env,target=/t,mode=0400 stat -c "%a" /t >> /seen && cat /t >> /seen\n' +
        'RUN test ! -s /run/secrets/file\n',
      secret: 'from a file\n',
    });
    const secrets = ['--secret', `id=file,src=${folder}/secret`, '--secret', 'id=of-env,env=OF_ENV'];
    const built = await client(['-t', `secrets-${name}`, ...secrets, folder], { OF_ENV: 'from env' });
    expect(built, built.stderr).toMatchObject({ code: 0 });
    expect(await fixture.daemon.out(['run', '--rm', `secrets-${name}`, 'cat', '/seen'])).toBe(
      'from a file\n400\nfrom env',
    );
    const without = await client(['--no-cache', folder]);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain('secret file: not found');
  }, 300_000);

  test('ssh: a RUN finds the socket of an agent that the client forwards, and of no other', async () => {
    const agent = fixture.output();
    const server = Bun.listen({ unix: agent, socket: { data: () => undefined } });
    try {
      const folder = fixture.project({
        Dockerfile:
          'FROM busybox\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK && stat -c "%a" $SSH_AUTH_SOCK > /mode\n',
      });
      const built = await client(['-t', `ssh-${name}`, '--ssh', `default=${agent}`, folder]);
      expect(built, built.stderr).toMatchObject({ code: 0 });
      expect(await fixture.daemon.out(['run', '--rm', `ssh-${name}`, 'cat', '/mode'])).toBe('600');
      const refused = await client(['--no-cache', '--ssh', `other=${agent}`, folder]);
      expect(refused.code).not.toBe(0);
    } finally {
      server.stop(true);
    }
  }, 300_000);

  test('cache mounts outlive the build and --no-cache', async () => {
    const folder = fixture.project({
      Dockerfile: `FROM busybox\nRUN --mount=type=cache,id=kept-${name},target=/c echo x >> /c/count; wc -l < /c/count > /count\n`,
    });
    for (const count of ['1', '2', '3']) {
      const built = await client(['--no-cache', '-t', `kept-${name}`, folder]);
      expect(built, built.stderr).toMatchObject({ code: 0 });
      expect(await fixture.daemon.out(['run', '--rm', `kept-${name}`, 'cat', '/count'])).toBe(count);
    }
  }, 300_000);

  test('local and tar outputs: files, links, hard links, modes', async () => {
    const folder = fixture.project({
      Dockerfile:
        'FROM busybox AS made\nRUN mkdir -p /o/deep && echo one > /o/b && ln /o/b /o/a && ln -s b /o/link && chmod 750 /o/deep && echo two > /o/deep/z\n' +
        'FROM scratch\nCOPY --from=made /o /\n',
    });
    const out = fixture.output();
    const local = await client(['-o', out, folder]);
    expect(local, local.stderr).toMatchObject({ code: 0 });
    expect(readdirSync(out).sort()).toEqual(['a', 'b', 'deep', 'link']);
    expect(readFileSync(join(out, 'a'), 'utf8')).toBe('one\n');
    expect(readFileSync(join(out, 'deep/z'), 'utf8')).toBe('two\n');
    expect(lstatSync(join(out, 'link')).isSymbolicLink()).toBe(true);
    expect(statSync(join(out, 'deep')).mode & 0o777).toBe(0o750);
    const tar = `${fixture.output()}.tar`;
    const archived = await client(['-o', `type=tar,dest=${tar}`, folder]);
    expect(archived, archived.stderr).toMatchObject({ code: 0 });
    const listed = Bun.spawnSync(['tar', '-tf', tar]).stdout.toString().split('\n').filter(Boolean).sort();
    expect(listed).toEqual(['a', 'b', 'deep/', 'deep/z', 'link']);
  }, 300_000);

  test('a failed RUN names its command and its lines; an unknown instruction its place', async () => {
    const failing = fixture.project({ Dockerfile: 'FROM busybox\n\nRUN echo said; \\\n    exit 7\n' });
    const failed = await client([failing]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('said');
    expect(failed.stderr).toContain(
      'process "/bin/sh -c echo said;     exit 7" did not complete successfully: exit code: 7',
    );
    const wrong = await client([fixture.project({ Dockerfile: 'FROM busybox\nRUNN true\n' })]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('dockerfile parse error on line 2: unknown instruction: RUNN');
    const missing = await client([fixture.project({ Dockerfile: 'FROM busybox\nCOPY nothing /\n' })]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('"/nothing": not found');
  }, 300_000);
});

describe('buildx alone', () => {
  test('an error shows the lines of the Dockerfile with pointers', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN true\nRUN false\n' });
    const { stderr } = await build([folder]);
    expect(stderr).toContain('Dockerfile:3\n');
    expect(stderr).toContain('   3 | >>> RUN false\n');
  }, 300_000);

  test('--metadata-file names the image', async () => {
    const file = `${fixture.output()}.json`;
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nLABEL a=b\n' });
    const built = await build(['-t', 'told', '--metadata-file', file, folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    const told = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const id = await fixture.daemon.out(['image', 'inspect', '--format', '{{.Id}}', 'told']);
    expect(told).toMatchObject({
      'containerimage.digest': id,
      'image.name': 'docker.io/library/told:latest',
    });
  }, 300_000);

  test('--check of a Dockerfile of 11 MB with thousands of findings holds up nobody; a build that it fails says why', async () => {
    const folder = fixture.project({
      Dockerfile: `FROM scratch\n${Array.from({ length: 9000 }, (_, at) => `ENV a${at} b\n# ${'c'.repeat(1200)}\n`).join('')}`,
      wrong: `FROM scratch\n${'# a comment\n'.repeat(1_000_000)}COPY missing /\n`,
    });
    let isDone = false;
    let slowestMs = 0;
    const pinging = (async () => {
      while (!isDone) {
        const startedMs = performance.now();
        await fixture.daemon.api('GET', '/_ping');
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      }
    })();
    const checked = await build(['--check', folder]);
    const wrong = await build(['-f', join(folder, 'wrong'), folder]);
    isDone = true;
    await pinging;
    expect(checked.stdout + checked.stderr).toContain('LegacyKeyValueFormat');
    expect(wrong.stderr).toContain('"/missing": not found');
    expect(slowestMs).toBeLessThan(2000);
  }, 120_000);

  test('--check tells what it finds and fails', async () => {
    const folder = fixture.project({ Dockerfile: 'from busybox\nRUN true\nMAINTAINER me\n' });
    const checked = await build(['--check', folder]);
    expect(checked.code).toBe(1);
    expect(checked.stdout + checked.stderr).toContain('WARNING: MaintainerDeprecated');
    const fine = await build(['--check', fixture.project({ Dockerfile: 'FROM busybox\n' })]);
    expect(fine).toMatchObject({ code: 0 });
    expect(fine.stdout + fine.stderr).toContain('Check complete, no warnings found.');
  }, 300_000);

  test('a named context of the client, and one that is an image', async () => {
    const folder = fixture.project({
      Dockerfile: 'FROM other\nCOPY --from=files some /some\n',
    });
    const files = fixture.project({ some: 'some\n' });
    const contexts = ['--build-context', `files=${files}`, '--build-context', 'other=docker-image://busybox'];
    const built = await build(['-t', 'named', ...contexts, folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    expect(await fixture.daemon.out(['run', '--rm', 'named', 'cat', '/some'])).toBe('some');
  }, 300_000);
});
