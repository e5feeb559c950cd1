import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { must, run } from '../support/engine/command.ts';
import { dockerPlugin } from '../support/engine/docker-plugins.ts';
import { oldDocker } from '../support/engine/stock-docker.ts';
import { BuildFixture, printedBy, sameProject } from './build/build-fixture.ts';

const PYTHON = resolve(import.meta.dir, '../../.cache/stock-clients/usr/lib/python3/dist-packages');
const missing = [
  dockerPlugin('buildx') === undefined ? 'buildx' : undefined,
  dockerPlugin('compose') === undefined ? 'compose' : undefined,
].filter((name) => name !== undefined);
if (missing.length > 0) throw new Error(`${missing.join(' and ')} not here: npm run setup -- --tests`);

let fixture: BuildFixture;
beforeAll(async () => {
  fixture = await BuildFixture.start();
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

const docker = async (args: readonly string[], env: Record<string, string> = {}, cwd?: string) =>
  await fixture.daemon.run(args, { env, timeoutMs: 100_000, ...(cwd === undefined ? {} : { cwd }) });

async function expectImage(name: string, who: string): Promise<void> {
  expect(await fixture.daemon.out(['run', '--rm', '--network', 'none', name])).toBe(printedBy(who));
}

describe('one project', () => {
  let folder: string;
  beforeAll(() => {
    folder = fixture.project(sameProject);
  });

  test('docker build, by buildx', async () => {
    const built = await docker(['build', '-t', 'by-build', '--build-arg', 'WHO=build', folder]);
    expect(built).toMatchObject({ code: 0 });
    expect(built.stderr).toContain('naming to docker.io/library/by-build');
    await expectImage('by-build', 'build');
  }, 300_000);

  test('docker buildx build, cached the second time, with the same ID', async () => {
    const args = ['buildx', 'build', '--progress', 'plain', '--build-arg', 'WHO=buildx'];
    const iidfile = join(fixture.output(), '..', 'iid');
    expect(await docker([...args, '-t', 'by-buildx', folder])).toMatchObject({ code: 0 });
    const again = await docker([...args, '-t', 'again', '--iidfile', iidfile, folder]);
    expect(again.stderr.match(/\] RUN .*\n#\d+ CACHED/g)?.length).toBe(1);
    expect(again.stderr).not.toMatch(/\] (RUN|COPY|WORKDIR) .*\n#\d+ DONE/);
    const id = async (image: string) =>
      fixture.daemon.out(['image', 'inspect', '--format', '{{.Id}}', image]);
    expect(await id('again')).toBe(await id('by-buildx'));
    // buildx writes the config's digest, which names the image as well.
    expect(await id(readFileSync(iidfile, 'utf8'))).toBe(await id('by-buildx'));
    await expectImage('again', 'buildx');
  }, 300_000);

  test('docker buildx bake: two targets, one of which is the other’s context', async () => {
    const bake = fixture.project({
      ...sameProject,
      'docker-bake.json': JSON.stringify({
        group: { default: { targets: ['top', 'bottom'] } },
        target: {
          bottom: { context: '.', args: { WHO: 'bake' }, tags: ['by-bake'] },
          top: {
            'dockerfile-inline': 'FROM bottom\nRUN echo top > /top\nCMD ["cat", "/made", "/top"]\n',
            contexts: { bottom: 'target:bottom' },
            tags: ['by-bake-top'],
          },
        },
      }),
    });
    const baked = await docker(['buildx', 'bake', '--progress', 'plain'], {}, bake);
    expect(baked, baked.stderr).toMatchObject({ code: 0 });
    await expectImage('by-bake', 'bake');
    expect(await fixture.daemon.out(['run', '--rm', 'by-bake-top'])).toBe('made for bake\ntop');
  }, 300_000);

  test('docker buildx bake: a target that another one builds on need not be asked for itself, nor leave an image', async () => {
    const targets = fixture.project({
      'base.Dockerfile': 'FROM busybox\nRUN echo below > /below\n',
      Dockerfile: 'FROM base\nRUN cat /below > /above\n',
      'tree.Dockerfile': 'FROM scratch\nCOPY --from=base /below /copied\n',
      'docker-bake.json': JSON.stringify({
        target: {
          base: { dockerfile: 'base.Dockerfile' },
          default: { contexts: { base: 'target:base' }, tags: ['on-base'] },
          tree: {
            dockerfile: 'tree.Dockerfile',
            contexts: { base: 'target:base' },
            output: ['type=local,dest=out'],
          },
        },
      }),
    });
    const images = async () => (await fixture.daemon.out(['images', '-aq', '--no-trunc'])).split('\n').sort();
    const before = await images();
    const bake = ['buildx', 'bake', '--progress', 'plain'];
    const baked = await docker(bake, {}, targets);
    expect(baked, baked.stderr).toMatchObject({ code: 0 });
    expect(await fixture.daemon.out(['run', '--rm', 'on-base', 'cat', '/above'])).toBe('below');
    const tree = await docker([...bake, '--allow', 'fs.write=*', 'tree'], {}, targets);
    expect(tree, tree.stderr).toMatchObject({ code: 0 });
    expect(readFileSync(join(targets, 'out/copied'), 'utf8')).toBe('below\n');
    const own = await fixture.daemon.out(['image', 'inspect', '--format', '{{.Id}}', 'on-base']);
    expect(await images()).toEqual([...before, own.trim()].sort());
  }, 300_000);

  test('docker compose build', async () => {
    const compose = fixture.project({
      ...sameProject,
      'compose.yaml':
        'name: by-compose\nservices:\n  one:\n    build: {context: ., args: {WHO: compose}}\n    image: by-compose\n',
    });
    const built = await docker(['compose', 'build'], {}, compose);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    await expectImage('by-compose', 'compose');
  }, 300_000);

  const old = oldDocker();
  test.if(old !== undefined)(
    'the 20.10 client, its own BuildKit client and the classic one',
    async () => {
      for (const kit of ['1', '0']) {
        const env = { ...fixture.daemon.env, DOCKER_BUILDKIT: kit };
        const name = `by-old-${kit}`;
        // Without buildx: 20.10 would hand over to a plugin that calls itself the builder.
        const args = ['--config', fixture.output(), 'build', '-t', name, '--build-arg', `WHO=old${kit}`];
        const built = await run([old ?? '', ...args, folder], { env });
        expect(built, built.stderr).toMatchObject({ code: 0 });
        await expectImage(name, `old${kit}`);
      }
    },
    60_000,
  );

  test.if(old !== undefined)(
    'the 20.10 client with the Dockerfile, then the context on stdin',
    async () => {
      const env = { ...fixture.daemon.env, DOCKER_BUILDKIT: '1' };
      const base = [old ?? '', '--config', fixture.output(), 'build', '-t', 'by-stdin'];
      const text = await run([...base, '-f', '-', folder], { env, stdin: 'FROM busybox\nCOPY tool.sh /t\n' });
      expect(text, text.stderr).toMatchObject({ code: 0 });
      const alone = await run([...base, '-'], { env, stdin: 'FROM busybox\nRUN echo alone > /alone\n' });
      expect(alone, alone.stderr).toMatchObject({ code: 0 });
      expect(await fixture.daemon.out(['run', '--rm', 'by-stdin', 'cat', '/alone'])).toBe('alone');
      const archive = Bun.spawnSync(['tar', '-C', folder, '-c', '.']).stdout;
      const whole = await run([...base, '--build-arg', 'WHO=stdin', '-'], { env, stdin: archive });
      expect(whole, whole.stderr).toMatchObject({ code: 0 });
      await expectImage('by-stdin', 'stdin');
    },
    60_000,
  );

  test('buildx with the Dockerfile, then the context on stdin', async () => {
    const base = ['build', '-t', 'x-stdin'];
    const text = await fixture.daemon.run([...base, '-f', '-', folder], {
      stdin: 'FROM busybox\nCOPY tool.sh /t\nCMD ["head","-n1","/t"]\n',
    });
    expect(text, text.stderr).toMatchObject({ code: 0 });
    expect(await fixture.daemon.out(['run', '--rm', 'x-stdin'])).toBe('#!/bin/sh');
    const archive = Bun.spawnSync(['tar', '-C', folder, '-cz', '.']).stdout;
    const whole = await fixture.daemon.run([...base, '--build-arg', 'WHO=tar', '-'], { stdin: archive });
    expect(whole, whole.stderr).toMatchObject({ code: 0 });
    await expectImage('x-stdin', 'tar');
  }, 300_000);

  test('dockerode', async () => {
    const client = new Docker({ socketPath: fixture.daemon.socket });
    const stream = await client.buildImage(
      { context: folder, src: Object.keys(sameProject) },
      { t: 'by-dockerode', buildargs: { WHO: 'dockerode' } },
    );
    const lines = await new Promise<{ stream?: string; error?: string }[]>((done, failed) =>
      client.modem.followProgress(stream as PassThrough, (error, all) => (error ? failed(error) : done(all))),
    );
    expect(lines.map((line) => line.error).filter(Boolean)).toEqual([]);
    await expectImage('by-dockerode', 'dockerode');
  }, 300_000);

  test.if(existsSync(join(PYTHON, 'docker')))(
    'docker-py',
    async () => {
      const program = [
        'import docker, sys',
        'client = docker.from_env()',
        'image, logs = client.images.build(path=sys.argv[1], tag="by-python", buildargs={"WHO": "python"}, rm=True)',
        'print(image.id)',
        'try: client.images.build(path=sys.argv[2], rm=True)',
        'except docker.errors.BuildError as error: print(error.msg)',
      ].join('\n');
      const failing = fixture.project({ Dockerfile: 'FROM busybox\nRUN exit 3\n' });
      const printed = await must(['/usr/bin/python3', '-c', program, folder, failing], {
        env: { ...fixture.daemon.env, PYTHONPATH: PYTHON },
      });
      const id = await fixture.daemon.out(['image', 'inspect', '--format', '{{.Id}}', 'by-python']);
      expect(printed).toBe(`${id}\nThe command '/bin/sh -c exit 3' returned a non-zero code: 3\n`);
      await expectImage('by-python', 'python');
    },
    60_000,
  );
});
