import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

const SECRET = 'the-secret-of-this-test';
let registry: SeedRegistry;

beforeAll(async () => {
  registry = await startSeedRegistry();
});

afterAll(async () => {
  await registry?.close();
});

/** Pinned namespaces are files that can't be read. */
function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Files below `directory` that hold `text`. */
function holding(directory: string, text: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return holding(path, text);
    return entry.isFile() && contentOf(path).includes(text) ? [path] : [];
  });
}

describe.each(['erofs', 'overlay'] as const)('%s: a build whose image is hostile', (driver) => {
  let daemon: TestDaemon;
  let folder: string;
  let host: string;

  beforeAll(async () => {
    daemon = await startDaemon({ mirrors: [registry.url], driver });
    folder = mkdtempSync(join(tmpdir(), 'hostile-'));
    host = mkdtempSync(join(tmpdir(), 'victim-'));
    writeFileSync(join(host, 'kept'), 'kept');
    await daemon.pull('busybox');
  }, 60_000);

  afterAll(async () => {
    await daemon?.close();
    for (const path of [folder, host]) rmSync(path, { recursive: true, force: true });
  }, 60_000);

  async function build(lines: readonly string[], words: readonly string[] = []) {
    writeFileSync(join(folder, 'Dockerfile'), `${lines.join('\n')}\n`);
    writeFileSync(join(folder, 'secret'), SECRET);
    writeFileSync(join(folder, '.dockerignore'), 'secret\n');
    return await daemon.run(['build', '-t', 'hostile', ...words, folder], { client: 'sampan' });
  }

  test('links in the places of mounts lead nowhere on the host', async () => {
    mkdirSync(join(folder, 'root/etc'), { recursive: true });
    for (const [place, target] of [
      ['etc/resolv.conf', `${host}/resolv`],
      ['etc/hosts', `../../../..${host}/hosts`],
      ['run', host],
      ['file', `${host}/made`],
      ['up', `../../../../../..${host}`],
    ] as const)
      symlinkSync(target, join(folder, 'root', place));
    const made = await build(
      [
        'FROM busybox AS links',
        'COPY root/ /',
        `RUN mkdir -p ${host}/in`,
        'FROM links',
        'RUN --mount=type=tmpfs,target=/up/tmp --mount=type=cache,target=/up/cache touch /up/cache/x /up/tmp/x',
        'RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/file test -s /run/secrets/s -a -s /file',
        'RUN --mount=type=bind,from=links,source=/up,target=/b,rw touch /b/bound && rm -rf /b/*',
        'COPY --from=links /up/ /copied/',
        'COPY Dockerfile /run/copied',
        'WORKDIR /run/workdir',
      ],
      ['--secret', `id=s,src=${join(folder, 'secret')}`],
    );
    expect(made.stderr + made.stdout).not.toContain(SECRET);
    expect([made.code, made.code === 0 ? '' : made.stderr]).toEqual([0, '']);
    expect(readdirSync(host)).toEqual(['kept']);
    expect(readFileSync(join(host, 'kept'), 'utf8')).toBe('kept');
  }, 120_000);

  test('a secret is in no file of the engine once the build is over', async () => {
    const made = await build(
      [
        'FROM busybox',
        'RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S test "$S" = "$(cat /run/secrets/s)"',
      ],
      ['--secret', `id=s,src=${join(folder, 'secret')}`],
    );
    expect([made.code, made.code === 0 ? '' : made.stderr]).toEqual([0, '']);
    expect(holding(daemon.dataRoot, SECRET)).toEqual([]);
    expect(holding(daemon.execRoot, SECRET)).toEqual([]);
    expect(daemon.log).not.toContain(SECRET);
  }, 120_000);

  test('a Dockerfile of thousands of steps is begun step by step, and what fails is told', async () => {
    const made = await build(['FROM busybox', 'RUN exit 3', ...Array<string>(9_000).fill('RUN true')]);
    expect(made.code).toBe(1);
    expect(made.stderr).toContain('process "/bin/sh -c exit 3" did not complete successfully: exit code: 3');
  }, 60_000);

  test('builds that fail, and builds that do not, leave no descriptors and no threads', async () => {
    const count = () => [
      readdirSync(`/proc/${daemon.pid}/fd`).length,
      readdirSync(`/proc/${daemon.pid}/task`).length,
    ];
    const some = async (from: number) => {
      for (let at = from; at < from + 2; at++) {
        expect((await build(['FROM busybox', `RUN echo ${at} && exit 3`])).code).not.toBe(0);
        expect((await build(['FROM busybox', `RUN echo ${at}`, 'COPY Dockerfile /'])).code).toBe(0);
      }
    };
    await some(0);
    const [files = 0, threads = 0] = count();
    await some(2);
    await eventually(
      () => {
        const [filesNow = 0, threadsNow = 0] = count();
        return filesNow <= files + 3 && threadsNow <= threads + 3;
      },
      {
        timeoutMs: 20_000,
        what: () => `${files} files and ${threads} threads to be as many again: ${count().join()}`,
      },
    );
  }, 180_000);
});
