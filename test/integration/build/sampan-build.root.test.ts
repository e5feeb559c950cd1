import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry;
let daemon: TestDaemon;
const work = mkdtempSync(join(tmpdir(), 'sampan-build-'));

beforeAll(async () => {
  registry = await startSeedRegistry();
  daemon = await startDaemon({ mirrors: [registry.url] });
}, 60_000);

afterAll(async () => {
  await daemon?.close();
  await registry?.close();
  rmSync(work, { recursive: true, force: true });
}, 60_000);

let projects = 0;

function project(files: Record<string, string>): string {
  const folder = join(work, String(++projects));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const build = (args: string[], options = {}) =>
  daemon.run(['build', ...args], { client: 'sampan', ...options });

describe('sampan build', () => {
  test('shows the failed lines with a pointer, what the step printed, and ends with 1', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nENV A=1\nRUN echo said; exit 3\nRUN true\n' });
    const { code, stderr } = await build([folder]);
    expect(code).toBe(1);
    expect(stderr).toContain(' > [2/3] RUN echo said; exit 3:\nsaid\n------\nDockerfile:3\n');
    expect(stderr).toContain('   3 | >>> RUN echo said; exit 3\n');
    expect(stderr).toContain(
      'ERROR: failed to build: failed to solve: process "/bin/sh -c echo said; exit 3" did not complete successfully: exit code: 3',
    );
  }, 60_000);

  test('a Dockerfile of more than 16 MiB is refused by name; a request that promises one and sends none is malformed', async () => {
    const folder = project({ Dockerfile: `FROM busybox\n${'# a comment\n'.repeat(1_500_000)}` });
    const { code, stderr } = await build([folder]);
    expect(code).toBe(1);
    expect(stderr).toContain('dockerfile is larger than 16777216 bytes');
    const name = Buffer.from('request');
    const lists = [
      'noCacheStages',
      'platforms',
      'outputs',
      'extraHosts',
      'entitlements',
      'cacheFrom',
      'cacheTo',
    ];
    const objects = ['namedContexts', 'buildArgs', 'labels', 'attestations', 'limits'];
    const json = {
      context: 'none',
      target: '',
      network: '',
      dockerfile: { name: 'Dockerfile' },
      ...Object.fromEntries([...lists.map((one) => [one, []]), ...objects.map((one) => [one, {}])]),
    };
    const request = Buffer.from(JSON.stringify(json));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(request.length);
    const body = Buffer.concat([Buffer.from([0, name.length]), name, size, request, Buffer.alloc(4)]);
    const options = { method: 'POST', body, unix: daemon.socket };
    const answer = await fetch('http://d/build?version=sampan', options);
    expect(await answer.text()).toContain('the build request is malformed');
  }, 60_000);

  test('secrets reach the RUN that mounts them and nothing else', async () => {
    const folder = project({
      Dockerfile:
        'FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s | tr a-z A-Z > /seen\nRUN test ! -e /run/secrets/s\n',
      secret: 'hidden',
    });
    const { code, stderr } = await build(['-t', 'secret', '--secret', `id=s,src=${folder}/secret`, folder]);
    expect(code, stderr).toBe(0);
    expect(await daemon.out(['run', '--rm', 'secret', 'cat', '/seen'])).toBe('HIDDEN');
  }, 60_000);

  test('a local output is written to a folder, a tar to a file', async () => {
    const folder = project({ Dockerfile: 'FROM scratch\nCOPY d /out/\n', 'd/a': 'one', 'd/s/b': 'two' });
    const local = join(work, 'local');
    expect((await build(['-o', local, folder])).code).toBe(0);
    expect(readFileSync(join(local, 'out/s/b'), 'utf8')).toBe('two');
    const tar = join(work, 'out.tar');
    expect((await build(['-o', `type=tar,dest=${tar}`, folder])).code).toBe(0);
    expect(existsSync(tar)).toBe(true);
  }, 60_000);

  test('--iidfile, --metadata-file, -q and --explain', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nRUN echo x > /x\n' });
    const first = await build([
      '-q',
      '--iidfile',
      join(work, 'iid'),
      '--metadata-file',
      join(work, 'meta'),
      folder,
    ]);
    expect(first.stdout.trim()).toBe(readFileSync(join(work, 'iid'), 'utf8'));
    expect(JSON.parse(readFileSync(join(work, 'meta'), 'utf8'))['containerimage.digest']).toBe(
      first.stdout.trim(),
    );
    const second = await build(['--explain', '--progress', 'plain', folder]);
    expect(second.stderr).toMatch(/#\d+ cached: made .* of the same inputs\n#\d+ CACHED/);
  }, 60_000);

  test('what .dockerignore names is not sent; the Dockerfile’s own comes first', async () => {
    const folder = project({
      Dockerfile: 'FROM scratch\nCOPY . /\n',
      '.dockerignore': 'a\n',
      'Dockerfile.dockerignore': 'b\nDockerfile*\n.dockerignore\n',
      a: '',
      b: '',
    });
    const out = join(work, 'ignored');
    expect((await build(['-o', out, folder])).code).toBe(0);
    expect(existsSync(join(out, 'a'))).toBe(true);
    expect(existsSync(join(out, 'b'))).toBe(false);
  }, 60_000);

  test('a Dockerfile on standard input, named contexts, cache mounts that last, and prune', async () => {
    const folder = project({ 'other/f': 'named' });
    const dockerfile =
      'FROM busybox\nCOPY --from=other f /f\nRUN --mount=type=cache,target=/c echo x >> /c/n; wc -l < /c/n > /n\n';
    const args = ['-t', 'named', '--build-context', `other=${folder}/other`, '-f', '-', folder];
    expect((await build(args, { stdin: dockerfile })).code).toBe(0);
    expect((await build(['--no-cache', ...args], { stdin: dockerfile })).code).toBe(0);
    expect(await daemon.out(['run', '--rm', 'named', 'cat', '/f', '/n'])).toBe('named2');
    const usage = await daemon.out(['system', 'df', '-v']);
    expect(usage).toContain('exec.cachemount');
    expect(await daemon.out(['builder', 'prune', '-af'])).toContain('Total reclaimed space');
    expect(JSON.parse((await daemon.api('GET', '/system/df')).body).BuildCache).toEqual([]);
    expect(await daemon.out(['run', '--rm', 'named', 'cat', '/f'])).toBe('named');
  }, 60_000);

  test('builds of one thing at the same time share its steps; with --no-cache each has its own', async () => {
    const folder = project({
      Dockerfile:
        'FROM busybox\nARG V\nRUN echo $V; sleep 0.3; cat /proc/sys/kernel/random/uuid > /t\nRUN true\n',
    });
    const ids = async (args: string[]) => {
      const all = await Promise.all([1, 2, 3, 4].map(() => build(['-q', ...args, folder])));
      expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
      return new Set(all.map(({ stdout }) => stdout)).size;
    };
    expect(await ids(['--build-arg', 'V=1'])).toBe(1);
    expect(await ids(['--no-cache'])).toBe(4);
  }, 60_000);
});
