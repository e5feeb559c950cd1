import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { BuildFixture } from './build/build-fixture.ts';
import { BUILDERS, builderOf } from './build/builders.ts';

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

const docker = async (...args: string[]) => await fixture.daemon.out(args);

/** Records of the build cache, as `system df` has them. */
async function cached(): Promise<{ Type: string; ID: string; Description: string; UsageCount: number }[]> {
  return JSON.parse((await fixture.daemon.api('GET', '/system/df?type=build-cache')).body).BuildCache;
}

const typesOf = async () => [...new Set((await cached()).map(({ Type }) => Type))].sort();

describe.each(BUILDERS)('cache mounts: %s', (name) => {
  const build = builderOf(() => fixture, name);
  const said = async (lines: string[], ...args: string[]) => {
    const folder = fixture.project({ Dockerfile: `${lines.join('\n')}\n` });
    const built = await build(['--no-cache', ...args, folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    return built.stderr;
  };

  test('another owner, group or mode is another cache, and begins as it is said', async () => {
    const cache = `RUN --mount=type=cache,id=owned-${name},target=/c`;
    const told = await said([
      'FROM busybox',
      `${cache} stat -c "plain %u %g %a" /c && touch /c/plain`,
      `${cache},uid=1000,gid=1001,mode=0700 stat -c "owned %u %g %a" /c && ls /c | wc -l && touch /c/owned`,
      `${cache},uid=1000 stat -c "other %u %g %a" /c && ls /c | wc -l`,
      'USER 1000:1001',
      `${cache},uid=1000,gid=1001,mode=0700 ls /c && echo mine > /c/mine && cat /c/mine`,
    ]);
    // What Docker 28.5.2 says of the same.
    for (const line of ['plain 0 0 755', 'owned 1000 1001 700', 'other 1000 0 755', 'owned', 'mine'])
      expect(told).toMatch(new RegExp(` ${line}\n`));
    expect(told.match(/ 0\n/g)).toHaveLength(2);
  }, 120_000);

  test('a cache begins with a stage’s folder, whose owners stay; with an owner and no folder it is empty', async () => {
    const told = await said([
      'FROM busybox AS seed',
      'RUN mkdir -p /seed && echo sown > /seed/f && chown 7:8 /seed/f',
      'FROM busybox',
      `RUN --mount=type=cache,id=seeded-${name},target=/c,from=seed,source=/seed,uid=5 stat -c "seeded %u %g %a" /c && stat -c "file %u %g" /c/f && cat /c/f`,
      `RUN --mount=type=cache,id=seeded-${name},target=/c,from=seed,uid=5 stat -c "empty %u %g %a" /c && ls -A /c | wc -l`,
    ]);
    for (const line of ['seeded 0 0 755', 'file 7 8', 'sown', 'empty 5 0 755', '0'])
      expect(told).toMatch(new RegExp(` ${line}\n`));
  }, 120_000);

  test('locked: one at a time; private: each its own; shared: together', async () => {
    const stages = (sharing: string) =>
      ['a', 'b', 'c'].map(
        (stage) =>
          `FROM busybox AS ${stage}\nRUN --mount=type=cache,id=${sharing}-${name},target=/c,sharing=${sharing} touch /c/${stage}; sleep 2; ls -A /c | wc -l > /n; rm /c/${stage}`,
      );
    const counts = async (sharing: string): Promise<string> => {
      const image = `${sharing}-${name}`;
      await said(
        [
          ...stages(sharing),
          'FROM busybox',
          'COPY --from=a /n /a',
          'COPY --from=b /n /b',
          'COPY --from=c /n /c',
        ],
        '-t',
        image,
      );
      const all = await docker('run', '--rm', image, 'cat', '/a', '/b', '/c');
      return all.split('\n').sort().join(' ');
    };
    // Each sees its own file; where they share the folder, whoever looks first sees another's.
    expect(await counts('locked')).toBe('1 1 1');
    expect(await counts('private')).toBe('1 1 1');
    expect(await counts('shared')).toMatch(/ [23]$/);
  }, 120_000);
});

describe.each(BUILDERS)('cache mounts in exported caches: %s', (name) => {
  const build = builderOf(() => fixture, name);
  const Dockerfile = [
    'FROM busybox',
    'ARG AGAIN=no',
    `RUN --mount=type=cache,id=taken-${name},target=/c,uid=3,mode=0711 echo "$AGAIN" && stat -c "root %u %g %a" /c && ls -A /c && (cat /c/sub/file || true) && (stat -c "file %u %g %a" /c/sub/file || true) && mkdir -p /c/sub && echo kept > /c/sub/file && chown 5:6 /c/sub/file && chmod 640 /c/sub/file && ln -sf file /c/sub/link`,
    '',
  ].join('\n');

  test('mounts=true takes them along, and another builder begins with them', async () => {
    const folder = fixture.project({ Dockerfile });
    const layout = fixture.output();
    const to = (more: string) => ['--cache-to', `type=local,dest=${layout},mode=max,${more}`];
    const first = await build([...to('mounts=true'), folder]);
    expect(first, first.stderr).toMatchObject({ code: 0 });
    // Also where no step ran.
    const second = await build([...to('tag=again,mounts=true'), folder]);
    expect(second, second.stderr).toMatchObject({ code: 0 });
    for (const tag of ['latest', 'again']) {
      await docker('builder', 'prune', '-af');
      const from = ['--cache-from', `type=local,src=${layout},tag=${tag}`];
      const again = await build([...from, '--build-arg', `AGAIN=${tag}`, folder]);
      expect(again, again.stderr).toMatchObject({ code: 0 });
      for (const line of ['root 3 0 711', 'sub', 'kept', 'file 5 6 640'])
        expect(again.stderr).toMatch(new RegExp(` ${line}\n`));
    }
    await docker('builder', 'prune', '-af');
  }, 120_000);

  test('without it, and for another owner, a cache mount begins empty', async () => {
    const folder = fixture.project({ Dockerfile });
    const layout = fixture.output();
    await build(['--cache-to', `type=local,dest=${layout},mode=max`, folder]);
    await build(['--cache-to', `type=local,dest=${layout},tag=with,mode=max,mounts=true`, folder]);
    await docker('builder', 'prune', '-af');
    const without = await build([
      '--cache-from',
      `type=local,src=${layout}`,
      '--build-arg',
      'AGAIN=1',
      folder,
    ]);
    expect(without.stderr).not.toMatch(/ kept\n/);
    await docker('builder', 'prune', '-af');
    const other = fixture.project({ Dockerfile: Dockerfile.replace('uid=3', 'uid=4') });
    const owned = await build([
      '--cache-from',
      `type=local,src=${layout},tag=with`,
      '--build-arg',
      'AGAIN=2',
      other,
    ]);
    expect(owned.stderr).toMatch(/ root 4 0 711\n/);
    expect(owned.stderr).not.toMatch(/ kept\n/);
    await docker('builder', 'prune', '-af');
  }, 120_000);
});

describe('what is listed and pruned', () => {
  const build = builderOf(() => fixture, 'buildx');
  beforeAll(async () => {
    await docker('builder', 'prune', '-af');
    const folder = fixture.project({
      Dockerfile:
        'FROM busybox\nCOPY some /some\nRUN --mount=type=cache,id=npm,target=/root/.npm echo x > /root/.npm/x\nRUN echo layer > /layer\n',
      some: 'some',
    });
    const built = await build([folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
  }, 300_000);

  test('buildx du tells of cache mounts as BuildKit does, and filters', async () => {
    const mounts = await docker('buildx', 'du', '--verbose', '--filter', 'type=exec.cachemount');
    expect(mounts.match(/^ID:/gm)).toHaveLength(1);
    expect(mounts).toMatch(/^Mutable:\s+true$/m);
    expect(mounts).toMatch(/^Type:\s+exec\.cachemount$/m);
    expect(mounts).toMatch(/^Reclaimable:\s+true$/m);
    expect(mounts).toContain(
      'cached mount /root/.npm from exec /bin/sh -c echo x > /root/.npm/x with id "/npm"',
    );
    const count = async (...filters: string[]) =>
      (await docker('buildx', 'du', '--verbose', ...filters.flatMap((one) => ['--filter', one]))).match(
        /^ID:/gm,
      )?.length ?? 0;
    const all = (await cached()).length;
    expect(await count()).toBe(all);
    expect(await count('type=regular')).toBe(3);
    expect(await count('type!=regular')).toBe(all - 3);
    expect(await count('type=regular', 'description~=layer')).toBe(1);
    expect(await count('nothing=like-it')).toBe(0);
  }, 120_000);

  test('a prune takes what it is told to: by type, and nothing that is no match', async () => {
    expect(await docker('builder', 'prune', '-f', '--filter', 'type=nothing')).toContain('0B');
    expect(await docker('buildx', 'prune', '-f', '--filter', 'until=1h')).toContain('0B');
    expect(await typesOf()).toEqual(['exec.cachemount', 'regular', 'source.local']);
    await docker('builder', 'prune', '-f', '--filter', 'type=source.local');
    expect(await typesOf()).toEqual(['exec.cachemount', 'regular']);
    await docker('buildx', 'prune', '-f', '--filter', 'type=exec.cachemount');
    expect(await typesOf()).toEqual(['regular']);
    const [first] = await cached();
    await docker('builder', 'prune', '-f', '--filter', 'type!=regular').catch((error: unknown) =>
      expect(String(error)).toContain("failed to prune build cache: invalid filter 'type!'"),
    );
    expect((await cached()).map(({ ID }) => ID)).toContain(first?.ID ?? '');
    // Without -a, what an image has stays.
    await docker('buildx', 'prune', '-f', '--filter', 'type!=nothing');
    expect(await typesOf()).toEqual(['regular']);
    await docker('buildx', 'prune', '-af', '--filter', 'type!=nothing');
    expect(await cached()).toEqual([]);
  }, 120_000);
});

describe('what stays of the cache', () => {
  const build = builderOf(() => fixture, 'buildx');
  const prune = async (query: string) =>
    JSON.parse((await fixture.daemon.api('POST', `/build/prune${query}`)).body) as {
      CachesDeleted: string[] | null;
    };
  beforeAll(async () => {
    await docker('builder', 'prune', '-af');
  }, 300_000);

  test('layers of a tagged image are shared, survive a prune and go with -a', async () => {
    const folder = fixture.project({
      Dockerfile: 'FROM busybox\nRUN echo kept > /kept\nRUN echo too > /too\n',
    });
    await build(['-t', 'kept', folder]);
    const told = await docker('buildx', 'du', '--verbose', '--filter', 'type=regular');
    expect(told.match(/^Shared:\s+true$/gm)).toHaveLength(2);
    const steps = /RUN echo \w+ > \/\w+\n#\d+ CACHED$/gm;
    await docker('builder', 'prune', '-f');
    expect((await build(['-t', 'kept', folder])).stderr.match(steps)).toHaveLength(2);
    await docker('rmi', 'kept');
    await docker('image', 'prune', '-f');
    await docker('builder', 'prune', '-f');
    expect((await build([folder])).stderr).not.toMatch(steps);
    await docker('builder', 'prune', '-af');
    expect(await cached()).toEqual([]);
  }, 120_000);

  test('enough free space keeps everything, by buildx and by the API', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN echo free > /free\n' });
    await build([folder]);
    const count = (await cached()).length;
    await docker('buildx', 'prune', '-f', '--min-free-space', '1MB');
    expect(await prune('?min-free-space=1000000')).toMatchObject({ CachesDeleted: null });
    expect(await cached()).toHaveLength(count);
    const { CachesDeleted: gone } = await prune('?all=1&min-free-space=1000000000000000');
    expect(gone).toHaveLength(count);
    expect(await cached()).toEqual([]);
  }, 120_000);

  test('a download is listed and pruned', async () => {
    const body = new Uint8Array(3_000_000);
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response(body) });
    try {
      const url = `http://127.0.0.1:${server.port}/blob`;
      const built = await build([fixture.project({ Dockerfile: `FROM scratch\nADD ${url} /blob\n` })]);
      expect(built, built.stderr).toMatchObject({ code: 0 });
      const told = await docker('buildx', 'du', '--verbose', '--filter', 'description~=^http');
      // As Docker 28.5 has it.
      for (const line of [
        'Mutable: +true',
        `Description: +http url ${url}`,
        'Type: +regular',
        'Size: +3(\\.\\d+)?MB',
      ])
        expect(told.replaceAll('\t', ' ')).toMatch(new RegExp(`^${line}$`, 'm'));
      await docker('builder', 'prune', '-af');
      expect(await cached()).toEqual([]);
      const { stdout } = Bun.spawnSync(['du', '-sb', `${fixture.daemon.dataRoot}/builder/remote`]);
      expect(Number.parseInt(stdout.toString(), 10)).toBeLessThan(100_000);
    } finally {
      await server.stop(true);
    }
  }, 120_000);

  test('the rules of the collection are told', async () => {
    const told = await docker('buildx', 'inspect');
    expect(told.match(/^GC Policy rule#\d:$/gm)).toHaveLength(4);
    expect(told).toMatch(/^ Min Free Space:/m);
  }, 60_000);

  test('a build’s history counts its steps', async () => {
    await build([fixture.project({ Dockerfile: 'FROM busybox\nRUN echo counted > /counted\n' })]);
    const told = await docker('buildx', 'history', 'inspect');
    expect(told).toMatch(/^Build Steps:\s+(\d+)\/\1 \(\d+% cached\)$/m);
  }, 60_000);
});
