import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLeftovers } from '../support/engine/build-leftovers.ts';
import { eventually, must } from '../support/engine/command.ts';
import { BuildFixture } from './build/build-fixture.ts';
import { BUILDERS, builderOf } from './build/builders.ts';

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

function blob(layout: string, digest: string): Buffer {
  return readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
}

function json<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString()) as T;
}

function indexOf(layout: string): Descriptor[] {
  return json<{ manifests: Descriptor[] }>(readFileSync(join(layout, 'index.json'))).manifests;
}

/** The manifest behind a tag, and the description of the cache. Every blob is what its name says. */
function cacheIn(layout: string, tag = 'latest') {
  expect(json(readFileSync(join(layout, 'oci-layout')))).toEqual({ imageLayoutVersion: '1.0.0' });
  for (const name of readdirSync(join(layout, 'blobs/sha256')))
    expect(new Bun.CryptoHasher('sha256').update(blob(layout, `sha256:${name}`)).digest('hex')).toBe(name);
  const named = indexOf(layout).filter(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
  );
  expect(named).toHaveLength(1);
  const [root] = named as [Descriptor];
  const manifest = json<{ mediaType: string; config: Descriptor; layers: Descriptor[] }>(
    blob(layout, root.digest),
  );
  expect(root.size).toBe(blob(layout, root.digest).length);
  const config = json<{ layers: { blob: string }[]; records: { digest: string }[] }>(
    blob(layout, manifest.config.digest),
  );
  return { root, manifest, config };
}

const steps = {
  Dockerfile: [
    'FROM busybox AS made',
    'RUN cat /proc/sys/kernel/random/uuid > /uuid',
    'FROM busybox',
    'COPY --from=made /uuid /copied',
    'RUN cat /copied > /seen',
    '',
  ].join('\n'),
};

describe.each(BUILDERS)('%s', (name) => {
  const build = builderOf(() => fixture, name);
  const seen = async (image: string) => await fixture.daemon.out(['run', '--rm', image, 'cat', '/seen']);
  const forget = async () => {
    await fixture.daemon.out(['image', 'prune', '-f']);
    await fixture.daemon.out(['builder', 'prune', '-af']);
  };

  test('a cache in a directory brings back what was pruned', async () => {
    const folder = fixture.project(steps);
    const layout = fixture.output();
    const made = await build(['-t', 'made', '--cache-to', `type=local,dest=${layout},mode=max`, folder]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    expect(made.stderr).toContain('exporting cache to client directory');
    const { root, manifest, config } = cacheIn(layout);
    expect([root.mediaType, manifest.mediaType]).toEqual([
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.oci.image.manifest.v1+json',
    ]);
    expect(manifest.config.mediaType).toBe('application/vnd.buildkit.cacheconfig.v0');
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual(
      Array(3).fill('application/vnd.oci.image.layer.v1.tar+gzip'),
    );
    expect(config.layers.map((layer) => layer.blob)).toEqual(manifest.layers.map(({ digest }) => digest));
    const before = await seen('made');
    await fixture.daemon.out(['rmi', 'made']);
    await forget();
    const again = await build(['-t', 'again', '--cache-from', `type=local,src=${layout}`, folder]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(again.stderr).toMatch(/importing cache manifest from local:\d+/);
    expect(again.stderr.match(/ CACHED$/gm)).toHaveLength(4);
    expect(await seen('again')).toBe(before);
    await fixture.daemon.out(['rmi', 'again']);
    await forget();
  }, 300_000);

  test('mode=min has the layers of the image alone; tags of one directory stand side by side', async () => {
    const folder = fixture.project(steps);
    const layout = fixture.output();
    for (const mode of ['max', 'min'])
      for (const times of [1, 2]) {
        const made = await build([
          '--cache-to',
          `type=local,dest=${layout},tag=${mode},mode=${mode}`,
          folder,
        ]);
        expect([made.code, times, made.code === 0 ? '' : made.stderr]).toEqual([0, times, '']);
      }
    expect(indexOf(layout)).toHaveLength(2);
    expect(cacheIn(layout, 'min').manifest.layers).toHaveLength(2);
    expect(cacheIn(layout, 'max').manifest.layers).toHaveLength(3);
    await forget();
    const tagged = ['--cache-from', `type=local,src=${layout},tag=max`];
    const again = await build(['-t', 'tagged', ...tagged, folder]);
    expect(again.stderr.match(/ CACHED$/gm)).toHaveLength(4);
    await fixture.daemon.out(['rmi', 'tagged']);
  }, 300_000);

  test('compression and the older form, an index of blobs', async () => {
    const folder = fixture.project(steps);
    const layout = fixture.output();
    const form = 'compression=zstd,force-compression=true,image-manifest=false,mode=max';
    const made = await build(['-t', 'older', '--cache-to', `type=local,dest=${layout},${form}`, folder]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const [root] = indexOf(layout);
    expect(root?.mediaType).toBe('application/vnd.oci.image.index.v1+json');
    const { manifests } = json<{ manifests: Descriptor[] }>(blob(layout, root?.digest ?? ''));
    expect(manifests.map(({ mediaType }) => mediaType)).toEqual([
      ...Array(3).fill('application/vnd.oci.image.layer.v1.tar+zstd'),
      'application/vnd.buildkit.cacheconfig.v0',
    ]);
    const before = await seen('older');
    await fixture.daemon.out(['rmi', 'older']);
    await forget();
    const again = await build(['-t', 'older', '--cache-from', `type=local,src=${layout}`, folder]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(await seen('older')).toBe(before);
    await fixture.daemon.out(['rmi', 'older']);
    const wrong = await build([
      '--cache-to',
      `type=local,dest=${layout},oci-mediatypes=false,image-manifest=true`,
      folder,
    ]);
    expect(wrong.code).not.toBe(0);
    expect(wrong.stderr).toContain('invalid configuration for remote cache');
  }, 300_000);

  test('a cache that is damaged, or has gone, costs the steps and not the build', async () => {
    const folder = fixture.project(steps);
    const layout = fixture.output();
    await build(['-t', 'damaged', '--cache-to', `type=local,dest=${layout},mode=max`, folder]);
    const before = await seen('damaged');
    const { manifest } = cacheIn(layout);
    for (const { digest } of manifest.layers) {
      const path = join(layout, 'blobs', digest.replace(':', '/'));
      const bytes = readFileSync(path);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(path, bytes);
    }
    await fixture.daemon.out(['rmi', 'damaged']);
    await forget();
    const again = await build(['-t', 'damaged', '--cache-from', `type=local,src=${layout}`, folder]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(await seen('damaged')).not.toBe(before);
    rmSync(join(layout, 'blobs/sha256', manifest.config.digest.slice(7)));
    const without = await build(['--cache-from', `type=local,src=${layout}`, folder]);
    expect(without, without.stderr).toMatchObject({ code: 0 });
    const nowhere = await build(['--cache-from', `type=local,src=${layout}-none`, folder]);
    expect(nowhere, nowhere.stderr).toMatchObject({ code: 0 });
    expect(nowhere.stderr).toContain(`local cache import at ${layout}-none not found due to err: could not`);
    await eventually(() => buildLeftovers(fixture.daemon).length === 0, {
      what: () => buildLeftovers(fixture.daemon).join('\n'),
    });
  }, 300_000);

  describe('oci-layout contexts', () => {
    let layout: string;
    let digest: string;
    beforeAll(async () => {
      layout = fixture.output();
      mkdirSync(layout, { recursive: true });
      await fixture.daemon.out(['save', '-o', `${layout}.tar`, 'busybox']);
      await must(['tar', '-xf', `${layout}.tar`, '-C', layout]);
      digest = indexOf(layout)[0]?.digest ?? '';
    });

    test('serve FROM and COPY --from, by tag and by digest, and leave no image of their own', async () => {
      const folder = fixture.project({
        Dockerfile:
          'FROM base\nRUN echo made > /made\nFROM other\nCOPY --from=base /bin/busybox /copied/busybox\n',
      });
      const images = await fixture.daemon.out(['images', '-aq']);
      const contexts = [
        ['--build-context', `base=oci-layout://${layout}`],
        ['--build-context', `other=oci-layout://${layout}@${digest}`],
      ].flat();
      const built = await build(['-t', 'on-layout', ...contexts, folder]);
      expect(built, built.stderr).toMatchObject({ code: 0 });
      expect(built.stderr).toContain(`[context other] load metadata for docker.io/library/other@${digest}`);
      const layers = async (image: string) =>
        json<string[]>(
          Buffer.from(await fixture.daemon.out(['inspect', '-f', '{{json .RootFS.Layers}}', image])),
        );
      expect((await layers('on-layout')).slice(0, -1)).toEqual(await layers('busybox'));
      expect(await fixture.daemon.out(['run', '--rm', 'on-layout', '/copied/busybox', 'echo', 'works'])).toBe(
        'works',
      );
      await fixture.daemon.out(['rmi', 'on-layout']);
      expect(await fixture.daemon.out(['images', '-aq'])).toBe(images);
    }, 300_000);

    test('an image that only the layout has runs, is sized and saved like any other', async () => {
      const folder = fixture.project({
        Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/zeros bs=1M count=3 2>/dev/null\n',
      });
      const own = fixture.output();
      mkdirSync(own, { recursive: true });
      await build(['-t', 'alone', folder]);
      const size = await fixture.daemon.out(['inspect', '-f', '{{.Size}}', 'alone']);
      await fixture.daemon.out(['save', '-o', `${own}.tar`, 'alone']);
      await must(['tar', '-xf', `${own}.tar`, '-C', own]);
      await fixture.daemon.out(['rmi', 'alone']);
      await forget();
      const on = fixture.project({ Dockerfile: 'FROM base\nENV A=1\n' });
      const built = await build(['-t', 'upon', '--build-context', `base=oci-layout://${own}:latest`, on]);
      expect(built, built.stderr).toMatchObject({ code: 0 });
      expect(await fixture.daemon.out(['inspect', '-f', '{{.Size}}', 'upon'])).toBe(size);
      expect(await fixture.daemon.out(['run', '--rm', 'upon', 'stat', '-c', '%s', '/zeros'])).toBe('3145728');
      await fixture.daemon.out(['save', '-o', `${own}-again.tar`, 'upon']);
      await fixture.daemon.out(['rmi', 'upon']);
    }, 300_000);

    test('what is not there, or is damaged, is told of', async () => {
      const folder = fixture.project({ Dockerfile: 'FROM base\n' });
      const on = async (place: string) =>
        await build(['--build-context', `base=oci-layout://${place}`, folder]);
      const absent = await on(`${layout}-none`);
      expect(absent.code).not.toBe(0);
      expect(absent.stderr).toContain('could not be resolved');
      const other = `sha256:${'0'.repeat(64)}`;
      const unknown = await on(`${layout}@${other}`);
      expect(unknown.code).not.toBe(0);
      expect(unknown.stderr).toMatch(
        new RegExp(
          `failed to resolve source metadata for docker.io/library/base@${other}: .*content ${other}: not found`,
        ),
      );
      const broken = fixture.output();
      await must(['cp', '-a', layout, broken]);
      writeFileSync(join(broken, 'blobs', digest.replace(':', '/')), '{}');
      const damaged = await on(broken);
      expect(damaged.code).not.toBe(0);
      expect(damaged.stderr).toContain('is damaged');
    }, 300_000);
  });

  test('an image goes into a directory, under its names, and can be built upon', async () => {
    const folder = fixture.project({ Dockerfile: 'FROM busybox\nRUN echo out > /out\n' });
    const layout = fixture.output();
    const output = ['-o', `type=oci,dest=${layout},tar=false`];
    // docker's own driver takes such an output where its images are kept as they came: that is said of us.
    const built = await build(['-t', 'laid:1', '-t', 'laid:two', ...output, folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    const names = (tag: string) => ({
      'io.containerd.image.name': `docker.io/library/laid:${tag}`,
      'org.opencontainers.image.ref.name': tag,
    });
    expect(indexOf(layout).map(({ annotations }) => annotations)).toEqual([
      expect.objectContaining(names('1')),
      expect.objectContaining(names('two')),
    ]);
    for (const one of readdirSync(join(layout, 'blobs/sha256')))
      expect(new Bun.CryptoHasher('sha256').update(blob(layout, `sha256:${one}`)).digest('hex')).toBe(one);
    expect(await fixture.daemon.out(['images', '-q', 'laid'])).toBe('');
    const again = await build([...output, folder]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(indexOf(layout).at(-1)?.annotations).toMatchObject({
      'org.opencontainers.image.ref.name': 'latest',
    });
    const upon = fixture.project({ Dockerfile: 'FROM base\n' });
    const named = ['--build-context', `base=oci-layout://${layout}:two`];
    const used = await build(['-t', 'upon-laid', ...named, upon]);
    expect(used, used.stderr).toMatchObject({ code: 0 });
    expect(await fixture.daemon.out(['run', '--rm', 'upon-laid', 'cat', '/out'])).toBe('out');
    await fixture.daemon.out(['rmi', 'upon-laid']);
    for (const [value, words] of [
      ['type=oci,tar=false', 'dest is required for oci'],
      ['type=oci,tar=false,dest=-', 'dest cannot be stdout for oci exporter'],
    ] as const) {
      const refused = await build(['-o', value, folder]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain(words);
    }
  }, 300_000);

  test('a client that is killed while blobs go either way leaves nothing behind', async () => {
    const folder = fixture.project({
      Dockerfile: 'FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=60 2>/dev/null\n',
    });
    const layout = fixture.output();
    const whole = await build(['-o', `type=oci,dest=${layout},tar=false`, folder]);
    expect(whole, whole.stderr).toMatchObject({ code: 0 });
    await forget();
    const upon = fixture.project({ Dockerfile: 'FROM base\nRUN true\n' });
    const ways: [string[], RegExp, number[]][] = [
      [
        ['--cache-to', `type=local,dest=${fixture.output()},mode=max`, folder],
        /exporting cache to/,
        [0, 100, 400],
      ],
      [['--build-context', `base=oci-layout://${layout}`, upon], /load build definition/, [50, 150, 400]],
    ];
    for (const [args, begun, moments] of ways)
      for (const waitMs of moments) {
        const client = name === 'sampan' ? ('sampan' as const) : ('docker' as const);
        const command = fixture.daemon.startCommand(['build', '--progress', 'plain', ...args], client);
        await eventually(() => begun.test(command.seen.stderr) || command.child.exitCode !== null, {
          timeoutMs: 60_000,
          what: () => `the build: ${command.seen.stderr}`,
        });
        await Bun.sleep(waitMs);
        command.child.kill('SIGKILL');
        await command.end();
        const left = () => [
          ...buildLeftovers(fixture.daemon),
          ...readdirSync(join(fixture.daemon.dataRoot, 'content/ingest')),
        ];
        await eventually(() => left().length === 0, { timeoutMs: 20_000, what: () => left().join('\n') });
      }
    const works = await build(['--build-context', `base=oci-layout://${layout}`, upon]);
    expect(works, works.stderr).toMatchObject({ code: 0 });
    await forget();
  }, 300_000);
});
