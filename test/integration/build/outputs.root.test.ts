import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TarReader } from '../../../src/archive/tar-reader.ts';
import { dockerPlugin, installPlugin } from '../../support/engine/docker-plugins.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

let registry: SeedRegistry;
let daemon: TestDaemon;
let host: string;
const work = mkdtempSync(join(tmpdir(), 'sampan-outputs-'));

beforeAll(async () => {
  registry = await startSeedRegistry();
  host = new URL(registry.url).host;
  daemon = await startDaemon({ mirrors: [registry.url] });
  if (dockerPlugin('buildx') !== undefined) installPlugin('buildx', join(daemon.root, 'client'));
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

const sampan = (args: string[], options = {}) =>
  daemon.run(['build', ...args], { client: 'sampan', ...options });
const buildx = (args: string[], options = {}) =>
  daemon.run(['buildx', 'build', '--progress', 'plain', ...args], options);

interface Document {
  mediaType: string;
  manifests?: {
    digest: string;
    mediaType: string;
    platform?: { architecture: string; os: string };
    annotations?: Record<string, string>;
  }[];
  config?: { digest: string; mediaType: string };
  layers?: { digest: string; mediaType: string; size: number; annotations?: Record<string, string> }[];
  annotations?: Record<string, string>;
}

/** What a registry has under a name, as any client sees it. */
async function remote(name: string, reference: string, kind = 'manifests'): Promise<Response> {
  const types = [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ];
  const response = await fetch(`${registry.url}/v2/${name}/${kind}/${reference}`, {
    headers: { accept: types.join(', ') },
  });
  expect(response.status).toBe(200);
  return response;
}

const manifest = async (name: string, reference: string) =>
  (await (await remote(name, reference)).json()) as Document;

/** Files of an archive, small ones. */
function filesOf(archive: Uint8Array): Map<string, string> {
  const files = new Map<string, string>();
  let path = '';
  const reader = new TarReader({
    entry: (entry) => {
      path = entry.path;
      files.set(path, '');
    },
    data: (chunk) => files.set(path, files.get(path) + Buffer.from(chunk).toString('latin1')),
  });
  reader.write(archive);
  reader.finish();
  return files;
}

describe('images that leave', () => {
  test('a push sends gzip layers under one digest, which the metadata and a pull name', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nCOPY f /f\nRUN echo x > /x\n', f: 'a'.repeat(9999) });
    const meta = join(work, 'push.json');
    const { code, stderr } = await sampan([
      '-t',
      `${host}/app:one`,
      '-t',
      `${host}/app:two`,
      '--push',
      '--metadata-file',
      meta,
      folder,
    ]);
    expect(code, stderr).toBe(0);
    const told = JSON.parse(readFileSync(meta, 'utf8'));
    for (const tag of ['one', 'two']) {
      const response = await remote('app', tag);
      expect(response.headers.get('docker-content-digest')).toBe(told['containerimage.digest']);
      const { layers } = (await response.json()) as Document;
      expect(layers?.slice(-2).map(({ mediaType }) => mediaType)).toEqual([
        'application/vnd.oci.image.layer.v1.tar+gzip',
        'application/vnd.oci.image.layer.v1.tar+gzip',
      ]);
    }
    expect(told['image.name']).toBe(`${host}/app:one,${host}/app:two`);
    expect(told['containerimage.descriptor'].digest).toBe(told['containerimage.digest']);
    await daemon.out(['rmi', '-f', `${host}/app:one`, `${host}/app:two`]);
    await daemon.out(['builder', 'prune', '-af']);
    expect(await daemon.out(['run', '--rm', `${host}/app:one`, 'cat', '/x'])).toBe('x');
  }, 60_000);

  test('docker push compresses what a build left as it is; the name then stands for what was sent', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nCOPY f /f\n', f: 'a line\n'.repeat(400_000) });
    const name = `${host}/later`;
    expect((await sampan(['-t', name, folder])).code).toBe(0);
    await daemon.out(['push', name]);
    const response = await remote('later', 'latest');
    const { layers } = (await response.json()) as Document;
    const top = layers?.at(-1);
    expect(top?.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
    expect(top?.size).toBeLessThan(200_000);
    const pushed = response.headers.get('docker-content-digest') ?? '';
    expect(await daemon.out(['image', 'inspect', '-f', '{{json .RepoDigests}}', name])).toContain(pushed);
    await daemon.out(['push', name]);
    expect((await remote('later', 'latest')).headers.get('docker-content-digest')).toBe(pushed);
    expect(await daemon.out(['run', '--rm', name, 'wc', '-l', '/f'])).toBe('400000 /f');
  }, 60_000);

  test('what was pushed takes the place of what was built, which is found by its ID still; a push that fails leaves nothing', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nCOPY f /f\n', f: 'another line\n'.repeat(300_000) });
    const ids = async () => (await daemon.out(['images', '-aq', '--no-trunc'])).split('\n').toSorted();
    const inspected = (id: string) => daemon.out(['image', 'inspect', '-f', '{{.Id}}', id]);
    const name = `${host}/instead`;
    expect((await sampan(['-t', name, folder])).code).toBe(0);
    const built = await inspected(name);
    const before = await ids();
    await daemon.out(['tag', name, '127.0.0.1:1/nobody:1']);
    expect((await daemon.run(['push', '127.0.0.1:1/nobody:1'])).code).not.toBe(0);
    expect(await ids()).toEqual([...before, built].toSorted());
    await daemon.out(['push', name]);
    // Another name holds it.
    const pushed = await inspected(name);
    expect(await ids()).toEqual([...before, pushed].toSorted());
    await daemon.out(['tag', name, '127.0.0.1:1/nobody:1']);
    await daemon.out(['tag', built, `${name}:again`]);
    await daemon.out(['push', `${name}:again`]);
    await daemon.out(['rmi', '127.0.0.1:1/nobody:1']);
    expect([pushed, pushed, pushed]).toEqual([
      await inspected(`${name}:again`),
      await inspected(built),
      await inspected(built.slice(7, 19)),
    ]);
    expect(await daemon.out(['run', '--rm', built, 'wc', '-l', '/f'])).toBe('300000 /f');
    expect(await ids()).not.toContain(built);
    await daemon.restart();
    expect(await inspected(built)).toBe(pushed);
  }, 60_000);

  test('push-by-digest leaves no tag, store=false no name here; zstd and uncompressed layers', async () => {
    const folder = project({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: 'b'.repeat(5000) });
    const out = `type=image,name=${host}/bare,push-by-digest=true,push=true,store=false,compression=zstd`;
    const meta = join(work, 'digest.json');
    const { code, stderr } = await sampan(['-o', out, '--metadata-file', meta, folder]);
    expect(code, stderr).toBe(0);
    const digest = JSON.parse(readFileSync(meta, 'utf8'))['containerimage.digest'];
    const { layers } = await manifest('bare', digest);
    expect(layers?.map(({ mediaType }) => mediaType)).toEqual([
      'application/vnd.oci.image.layer.v1.tar+zstd',
    ]);
    expect((await fetch(`${registry.url}/v2/bare/manifests/latest`)).status).toBe(404);
    expect(await daemon.out(['images', '-q', `${host}/bare`])).toBe('');
    const plain = ['-o', `type=registry,name=${host}/plain,compression=uncompressed`, folder];
    expect((await sampan(plain)).code).toBe(0);
    expect((await manifest('plain', 'latest')).layers?.[0]?.mediaType).toBe(
      'application/vnd.oci.image.layer.v1.tar',
    );
  }, 60_000);

  test('several platforms are an index in the registry, and folders of a local output', async () => {
    const folder = project({
      Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n',
      amd64: 'x86',
      arm64: 'arm',
    });
    const args = ['--platform', 'linux/amd64,linux/arm64', '-t', `${host}/multi`, '--push', folder];
    const { code, stderr } = await sampan(args);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('[linux/arm64 1/1] COPY arm64 /arch');
    const index = await manifest('multi', 'latest');
    expect(index.manifests?.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'arm64']);
    const local = join(work, 'split');
    expect((await sampan(['--platform', 'linux/amd64,linux/arm64', '-o', local, folder])).code).toBe(0);
    expect(readFileSync(join(local, 'linux_arm64/arch'), 'utf8')).toBe('arm');
    expect(readFileSync(join(local, 'linux_amd64/arch'), 'utf8')).toBe('x86');
    expect(await daemon.out(['image', 'inspect', '-f', '{{.Id}}', `${host}/multi`])).toMatch(/^sha256:/);
  }, 60_000);

  test('annotations stand where they were meant', async () => {
    const folder = project({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: 'c' });
    const args = ['-t', `${host}/noted`, '--push', '--platform', 'linux/amd64,linux/arm64'];
    const notes = [
      '--annotation',
      'a=1',
      '--annotation',
      'index:b=2',
      '--annotation',
      'manifest[linux/arm64]:c=3',
    ];
    const { code, stderr } = await sampan([...args, ...notes, folder]);
    expect(code, stderr).toBe(0);
    const index = await manifest('noted', 'latest');
    expect(index.annotations).toEqual({ b: '2' });
    const [amd, arm] = await Promise.all(
      (index.manifests ?? []).map(({ digest }) => manifest('noted', digest)),
    );
    expect(amd?.annotations).toEqual({ a: '1' });
    expect(arm?.annotations).toEqual({ a: '1', c: '3' });
    const single = await sampan(['--annotation', 'index:b=2', folder]);
    expect(single.stderr).toContain('index annotations not supported for single platform export');
  }, 60_000);

  test('provenance and SBOM are an attestation manifest; the secret-bearing parts only in mode=max', async () => {
    const folder = project({
      Dockerfile: 'FROM busybox\nARG TOKEN\nCOPY status /var/lib/dpkg/status\n',
      status:
        'Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n',
    });
    const args = ['-t', `${host}/said`, '--push', '--sbom=true', '--build-arg', 'TOKEN=hidden', folder];
    for (const mode of ['min', 'max']) {
      const { code, stderr } = await sampan(['--provenance', `mode=${mode}`, ...args]);
      expect(code, stderr).toBe(0);
      const index = await manifest('said', 'latest');
      const [image, said] = index.manifests ?? [];
      expect(said?.annotations).toEqual({
        'vnd.docker.reference.digest': image?.digest ?? '',
        'vnd.docker.reference.type': 'attestation-manifest',
      });
      const { layers } = await manifest('said', said?.digest ?? '');
      const statements = new Map<string, string>();
      for (const { digest, annotations } of layers ?? [])
        statements.set(
          annotations?.['in-toto.io/predicate-type'] ?? '',
          await (await remote('said', digest, 'blobs')).text(),
        );
      const provenance = statements.get('https://slsa.dev/provenance/v0.2') ?? '';
      expect(provenance.includes('hidden')).toBe(mode === 'max');
      expect(JSON.parse(provenance).predicate.materials[0].uri).toMatch(
        /^pkg:docker\/busybox@latest\?platform=/,
      );
      const spdx = JSON.parse(statements.get('https://spdx.dev/Document') ?? '{}').predicate;
      expect(spdx.spdxVersion).toBe('SPDX-2.3');
      expect(spdx.packages.map(({ name }: { name: string }) => name)).toContain('bash');
      expect(JSON.stringify(spdx)).not.toContain('gone');
    }
    expect(await daemon.out(['run', '--rm', `${host}/said`, 'echo', 'runs'])).toBe('runs');
  }, 60_000);
});

describe('archives', () => {
  test('oci and docker archives have their names and can be loaded; nothing is named here', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nCOPY f /f\n', f: 'd' });
    for (const type of ['oci', 'docker']) {
      const path = join(work, `${type}.tar`);
      const { code, stderr } = await sampan(['-t', `as-${type}`, '-o', `type=${type},dest=${path}`, folder]);
      expect(code, stderr).toBe(0);
      const files = filesOf(readFileSync(path));
      const { manifests } = JSON.parse(files.get('index.json') ?? '{}') as Document;
      expect(manifests?.[0]?.annotations?.['io.containerd.image.name']).toBe(
        `docker.io/library/as-${type}:latest`,
      );
      expect(await daemon.out(['images', '-q', `as-${type}`])).toBe('');
      await daemon.out(['load', '-i', path]);
      expect(await daemon.out(['run', '--rm', `as-${type}`, 'cat', '/f'])).toBe('d');
    }
  }, 60_000);

  test.each([
    ['sampan', sampan],
    ['buildx', buildx],
  ])(
    '%s: rewrite-timestamp gives one digest for one source; a tree has one time',
    async (name, build) => {
      const folder = project({
        Dockerfile: 'FROM busybox\nCOPY f /f\nRUN echo > /made; touch -d @1000 /old\nWORKDIR /w\n',
        f: name,
      });
      const env = { SOURCE_DATE_EPOCH: '86400' };
      const idOf = async (tag: string, ...args: string[]): Promise<string> => {
        const output = ['-o', `type=image,name=${tag},rewrite-timestamp=true`];
        expect(await build(['--no-cache', ...output, ...args, folder], { env })).toMatchObject({ code: 0 });
        return await daemon.out(['image', 'inspect', '-f', '{{.Id}} {{.Created}}', tag]);
      };
      const first = await idOf('dated');
      expect(first).toEndWith(' 1970-01-02T00:00:00Z');
      expect(await idOf('dated-again')).toBe(first);
      const times = ['run', '--rm', 'dated', 'stat', '-c', '%Y', '/f', '/made', '/old', '/w', '/bin/busybox'];
      const below = ['run', '--rm', 'busybox', 'stat', '-c', '%Y', '/bin/busybox'];
      expect(await daemon.out(times)).toBe(`86400\n86400\n1000\n86400\n${await daemon.out(below)}`);
      // As of another build argument, that of the output counts; without one nothing is dated.
      const own = `type=image,name=dated,rewrite-timestamp=true,source-date-epoch=5000`;
      expect(await build(['-o', own, folder], { env })).toMatchObject({ code: 0 });
      expect(await daemon.out(times)).toStartWith('5000\n5000\n1000\n5000\n');
      const undated = 'type=image,name=dated,rewrite-timestamp=true,source-date-epoch=';
      expect((await build(['-o', undated, folder], { env })).stderr).toContain(
        'no source-date-epoch was found',
      );
      expect(await daemon.out(times)).not.toContain('5000');
      const tar = join(work, `dated-${name}.tar`);
      expect(await build(['-o', `type=tar,dest=${tar}`, folder], { env })).toMatchObject({ code: 0 });
      const seen = new Set<number>();
      new TarReader({ entry: ({ mtimeSeconds }) => void seen.add(mtimeSeconds) }).write(readFileSync(tar));
      expect([...seen]).toEqual([86_400]);
    },
    120_000,
  );

  test('what an output cannot do is refused before anything is built', async () => {
    const folder = project({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: 'e' });
    const refused: [string[], string][] = [
      [['-o', 'type=image,compression=estargz'], 'compression type estargz is not implemented'],
      [['-o', 'type=image,colour=red'], 'unknown attribute "colour" of output image'],
      [['-o', 'type=image,source-date-epoch=soon'], 'invalid source-date-epoch: soon: strconv.ParseInt'],
      [['--build-arg', 'SOURCE_DATE_EPOCH=soon'], 'invalid SOURCE_DATE_EPOCH: soon: strconv.ParseInt'],
      [['--cache-to', 'type=local'], 'local cache exporter requires dest'],
      [['--cache-to', 'type=registry'], 'registry cache exporter requires ref'],
      [['--sbom', 'generator=x/y'], 'SBOM generator "x/y" is not implemented'],
      [['--provenance', 'mode=some'], 'invalid mode "some"'],
      [
        ['-o', 'type=docker,dest=-', '--platform', 'linux/amd64,linux/arm64'],
        'docker exporter does not currently support exporting manifest lists',
      ],
    ];
    for (const [args, words] of refused) {
      const { code, stderr } = await sampan([...args, folder]);
      expect(code, words).toBe(1);
      expect(stderr).toContain(words);
    }
  }, 60_000);
});

describe('questions about a Dockerfile', () => {
  const asked = {
    Dockerfile: `ARG BASE=busybox
ARG UNUSED=1
# build makes it
FROM \${BASE} AS build
# TOKEN is used here
ARG TOKEN=abc
ARG OTHER
RUN --mount=type=secret,id=sec,required=true --mount=type=ssh,id=key echo $TOKEN
FROM busybox
COPY --from=build /x /x
`,
  };
  const OUTLINE = `BUILD ARG   VALUE     DESCRIPTION
BASE        busybox   
TOKEN       abc       is used here
OTHER                 

SECRET   REQUIRED
sec      true

SSH   REQUIRED
key   

`;
  const TARGETS = 'TARGET    DESCRIPTION\nbuild     makes it\n(default) \n';

  test('are answered to our client in the words of BuildKit', async () => {
    const folder = project(asked);
    const outline = await sampan(['--call=outline', folder]);
    expect(outline.stdout, outline.stderr).toBe(OUTLINE);
    expect((await sampan(['--call=targets', folder])).stdout).toBe(TARGETS);
    const json = JSON.parse((await sampan(['--call', 'targets,format=json', folder])).stdout);
    expect(json.targets[0]).toEqual({
      name: 'build',
      description: 'makes it',
      base: ['$', '{BASE}'].join(''),
      location: { ranges: [{ start: { line: 4 }, end: { line: 4 } }] },
    });
  }, 60_000);

  test.skipIf(dockerPlugin('buildx') === undefined)(
    'and to stock buildx',
    async () => {
      const folder = project(asked);
      expect((await daemon.run(['buildx', 'build', '--call=outline', folder])).stdout).toBe(OUTLINE);
      expect((await daemon.run(['buildx', 'build', '--call=targets', folder])).stdout).toBe(TARGETS);
    },
    60_000,
  );
});

describe('caches', () => {
  const files = {
    Dockerfile:
      'FROM busybox AS build\nCOPY f /f\nRUN cat /proc/sys/kernel/random/uuid > /made\nFROM busybox\nCOPY --from=build /made /made\n',
    f: 'g',
  };

  const forget = async (...names: string[]) => {
    for (const name of names) await daemon.run(['rmi', '-f', name]);
    await daemon.out(['builder', 'prune', '-af']);
  };

  test('type=registry, mode=max brings every step back after all was forgotten', async () => {
    const folder = project(files);
    const cache = `type=registry,ref=${host}/cache:max`;
    const first = await sampan(['-t', 'cached', '--cache-to', `${cache},mode=max`, folder]);
    expect(first.code, first.stderr).toBe(0);
    const made = await daemon.out(['run', '--rm', 'cached', 'cat', '/made']);
    expect((await manifest('cache', 'max')).config?.mediaType).toBe(
      'application/vnd.buildkit.cacheconfig.v0',
    );
    await forget('cached');
    const second = await sampan(['-t', 'cached', '--cache-from', cache, folder]);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stderr).toContain(`importing cache manifest from ${host}/cache:max`);
    expect(await daemon.out(['run', '--rm', 'cached', 'cat', '/made'])).toBe(made);
    await forget('cached');
    await sampan(['-t', 'cached', folder]);
    expect(await daemon.out(['run', '--rm', 'cached', 'cat', '/made'])).not.toBe(made);
  }, 60_000);

  test('type=inline goes with the image; a cache that is not there is told of and done without', async () => {
    const folder = project({
      ...files,
      Dockerfile: 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /made\n',
    });
    const name = `${host}/inline`;
    const first = await sampan(['-t', name, '--push', '--cache-to', 'type=inline', folder]);
    expect(first.code, first.stderr).toBe(0);
    const made = await daemon.out(['run', '--rm', name, 'cat', '/made']);
    await forget(name);
    const second = await sampan(['-t', 'again', '--cache-from', name, folder]);
    expect(second.code, second.stderr).toBe(0);
    expect(await daemon.out(['run', '--rm', 'again', 'cat', '/made'])).toBe(made);
    const third = await sampan(['--cache-from', `${host}/nowhere`, folder]);
    expect(third.code).toBe(0);
    expect(third.stderr).toContain(`failed to import the cache of ${host}/nowhere:latest`);
  }, 60_000);
});

describe.skipIf(dockerPlugin('buildx') === undefined)('stock buildx', () => {
  test('a plain build has an ID that stays; one that is asked for attestations has them', async () => {
    const folder = project({ Dockerfile: 'FROM busybox\nCOPY f /f\n', f: 'h' });
    const id = async (args: string[]) => {
      const { code, stderr } = await buildx(['-t', 'plain', ...args, folder]);
      expect(code, stderr).toBe(0);
      return await daemon.out(['image', 'inspect', '-f', '{{.Id}}', 'plain']);
    };
    const first = await id([]);
    expect(await id([])).toBe(first);
    expect(await id(['--provenance=true', '--sbom=true'])).not.toBe(first);
    expect(await daemon.out(['run', '--rm', 'plain', 'cat', '/f'])).toBe('h');
  }, 60_000);

  test('contexts that were sent are part of the cache: listed, and pruned', async () => {
    const folder = project({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: 'i'.repeat(100_000) });
    expect((await buildx([folder])).code).toBe(0);
    const sources = async () => {
      const { BuildCache } = JSON.parse((await daemon.api('GET', '/system/df')).body);
      return BuildCache.filter(({ Type }: { Type: string }) => Type === 'source.local');
    };
    expect((await sources()).some(({ Size }: { Size: number }) => Size >= 100_000)).toBe(true);
    await daemon.out(['builder', 'prune', '-f', '--filter', 'type=source.local']);
    expect(await sources()).toEqual([]);
    expect((await buildx([folder])).code).toBe(0);
    await daemon.out(['builder', 'prune', '-af']);
    expect(JSON.parse((await daemon.api('GET', '/system/df')).body).BuildCache).toEqual([]);
  }, 60_000);

  test('several platforms pushed, with caches in the registry, an oci archive, and metadata', async () => {
    const folder = project({
      Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /arch\n',
      amd64: 'x86',
      arm64: 'arm',
    });
    const meta = join(work, 'buildx.json');
    const { code, stderr } = await buildx([
      '--platform',
      'linux/amd64,linux/arm64',
      '-t',
      `${host}/bx`,
      '--push',
      '--annotation',
      'index:k=v',
      '--cache-to',
      `type=registry,ref=${host}/bx:cache,mode=max`,
      '--metadata-file',
      meta,
      folder,
    ]);
    expect(code, stderr).toBe(0);
    const index = await manifest('bx', 'latest');
    expect(index.annotations).toEqual({ k: 'v' });
    const platforms = index.manifests?.map(({ platform }) => platform?.architecture);
    expect(platforms).toEqual(['amd64', 'arm64', 'unknown', 'unknown']);
    const response = await remote('bx', 'latest');
    expect(JSON.parse(readFileSync(meta, 'utf8'))['containerimage.digest']).toBe(
      response.headers.get('docker-content-digest'),
    );
    const archive = join(work, 'bx.tar');
    const from = ['--cache-from', `type=registry,ref=${host}/bx:cache`];
    const saved = await buildx(['-o', `type=oci,dest=${archive}`, ...from, folder]);
    expect(saved.code, saved.stderr).toBe(0);
    expect(existsSync(archive)).toBe(true);
  }, 60_000);
});
