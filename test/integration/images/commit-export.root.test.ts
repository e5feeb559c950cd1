import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { must } from '../../support/engine/command.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';

// Expected changes and listings are those of Docker 28.5 for the same commands.
const SCRIPT = `
mkdir /new && echo one > /new/a && ln /new/a /new/b && ln -s a /new/l && mkfifo /new/p && mknod /new/dev c 1 3
echo more >> /etc/given && chmod 600 /etc/given && rm /tree/gone && rm -r /tree/old
rm -r /swap && mkdir /swap && echo x > /swap/other && mkdir /swap/sub && echo y > /swap/sub/in
truncate -s 5000000 /new/sparse && printf end >> /new/sparse
chown 12:34 /new
`;
const CHANGES = `
C /etc
C /etc/given
A /new
A /new/a
A /new/b
A /new/dev
A /new/l
A /new/p
A /new/sparse
C /swap
A /swap/other
C /swap/sub
A /swap/sub/in
D /swap/sub/lower
D /swap/was
C /tree
D /tree/gone
D /tree/old
`.trim();

describe.each(['erofs', 'overlay'])('%s', (driver) => {
  let seeds: SeedRegistry;
  let engine: TestDaemon;

  beforeAll(async () => {
    await must(['ip', 'link', 'set', 'lo', 'up']);
    seeds = await startSeedRegistry();
    engine = await startDaemon({ mirrors: [seeds.url], driver });
    await engine.pull('busybox');
    const given =
      'echo given > /etc/given; mkdir -p /tree/old /swap/sub; for f in tree/gone tree/old/x swap/was swap/sub/lower; do echo x > /$f; done';
    await engine.out(['run', '--name', 'seed', 'busybox', 'sh', '-c', given]);
    const docker = engine.command([]).join(' ');
    await must(['sh', '-c', `${docker} export seed | ${docker} import -c 'CMD sh' - base`], {
      env: engine.env,
    });
    await engine.out(['run', '--name', 'work', 'base', 'sh', '-c', SCRIPT]);
  });
  afterAll(async () => {
    await engine.close();
    await seeds.close();
  });

  test('diff of a container tells what it changed, and nothing of what its start made', async () => {
    expect(await engine.out(['diff', 'work'])).toBe(CHANGES);
    await engine.out(['run', '--name', 'idle', 'base', 'true']);
    expect(await engine.out(['diff', 'idle'])).toBe('');
    expect(await engine.api('GET', '/containers/idle/changes')).toEqual({ status: 200, body: 'null\n' });
  });

  test('export has all files, stopped and running', async () => {
    const archive = join(engine.root, `export-${driver}.tar`);
    await engine.out(['export', '-o', archive, 'work']);
    const listing = await must(['tar', 'tvf', archive]);
    expect(listing).toMatch(/^drwxr-xr-x 12\/34 +0 .* new\/$/m);
    expect(listing).toMatch(/^hrw-r--r-- .* new\/b link to new\/a$/m);
    expect(listing).toMatch(/^lrwxrwxrwx .* new\/l -> a$/m);
    expect(listing).toMatch(/^prw-r--r-- .* new\/p$/m);
    expect(listing).toMatch(/^crw-r--r-- .* 1,3 .* new\/dev$/m);
    expect(listing).not.toContain('tree/gone');
    expect(listing).not.toContain('swap/was');
    expect(await must(['tar', 'xOf', archive, 'etc/given'])).toBe('given\nmore\n');
    expect((await must(['sh', '-c', `tar xOf ${archive} new/sparse | wc -c`])).trim()).toBe('5000003');
    const id = await engine.out(['run', '-d', 'base', 'sh', '-c', 'echo now > /now; sleep 100']);
    await Bun.sleep(300);
    await engine.out(['export', '-o', archive, id]);
    expect(await must(['tar', 'xOf', archive, 'now'])).toBe('now\n');
    await engine.out(['rm', '-f', id]);
  });

  test('import takes an archive from a URL, and tells why not', async () => {
    const archive = join(engine.root, 'url.tar');
    await engine.out(['export', '-o', archive, 'work']);
    const web = Bun.serve({
      port: 0,
      fetch: ({ url }) =>
        url.endsWith('/there')
          ? new Response(Bun.file(archive))
          : new Response('no such thing\n', { status: 404 }),
    });
    const at = `127.0.0.1:${web.port}`;
    const lines = await engine.out(['import', `http://${at}/there`, `url:${driver}`]);
    expect(lines).toContain(`Downloading from http://${at}/there`);
    expect(lines).toMatch(/sha256:[0-9a-f]{64}$/);
    expect(await engine.out(['history', '--format', '{{.Comment}}', `url:${driver}`])).toBe(
      `Imported from http://${at}/there`,
    );
    const missing = await engine.api('POST', `/images/create?fromSrc=${at}/gone&repo=x`);
    expect(missing).toEqual({
      status: 404,
      body: `{"message":"failed to GET http://${at}/gone with status 404 Not Found: no such thing"}\n`,
    });
    await web.stop(true);
  });

  test('commit leaves out directories that are as they were, however many', async () => {
    const name = 'a-name-that-is-long-enough-for-many-of-them-to-be-no-argument';
    const make = `for i in $(seq 2500); do echo /many/${name}-$i; done | xargs mkdir -p`;
    await engine.out(['run', '--name', 'maker', 'base', 'sh', '-c', make]);
    await engine.out(['commit', 'maker', 'many']);
    await engine.out(['run', '--name', 'toucher', 'many', 'sh', '-c', 'chmod -R 755 /many; echo x > /x']);
    expect(await engine.out(['diff', 'toucher'])).toBe('A /x');
    expect(await engine.out(['commit', 'toucher'])).toMatch(/^sha256:[0-9a-f]{64}$/);
  }, 30_000);

  test('commit makes an image that has the changes and runs', async () => {
    const id = await engine.out([
      'commit',
      '-a',
      'Some One',
      '-m',
      'a message',
      '-c',
      'ENV A=b',
      '-c',
      'ENTRYPOINT ["cat"]',
      '-c',
      'LABEL x=y',
      'work',
      `made:${driver}`,
    ]);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    const image = JSON.parse(await engine.out(['image', 'inspect', `made:${driver}`]))[0] as Record<
      string,
      Record<string, unknown>
    >;
    expect(image).toMatchObject({ Id: id, Author: 'Some One', Comment: 'a message' });
    expect(image['Config']).toMatchObject({ Entrypoint: ['cat'], Cmd: null, Labels: { x: 'y' } });
    expect(image['Config']?.['Env']).toContain('A=b');
    expect(image['RootFS']?.['Layers']).toHaveLength(2);
    expect(
      await engine.out([
        'history',
        '--format',
        '{{.CreatedBy}}|{{.Comment}}',
        '--no-trunc',
        `made:${driver}`,
      ]),
    ).toMatch(/^sh -c \n[\s\S]*\|a message\n/);
    const run = (...command: string[]) =>
      engine.out(['run', '--rm', '--entrypoint', 'sh', `made:${driver}`, '-c', command.join(' ')]);
    expect(
      await run('cat /etc/given /swap/other; ls /tree /swap /swap/sub; stat -c "%h %u:%g" /new/a /new'),
    ).toBe('given\nmore\nx\n/swap:\nother\nsub\n\n/swap/sub:\nin\n\n/tree:\n2 0:0\n2 12:34');
    expect(await run('tail -c 3 /new/sparse')).toBe('end');
    const again = await engine.out(['run', '-d', `made:${driver}`, '/etc/given']);
    await engine.out(['wait', again]);
    expect(await engine.out(['logs', again])).toBe('given\nmore');
    expect(await engine.out(['diff', again])).toBe('');
  });

  test('a commit of nothing adds no layer; of a paused or running one it leaves the state as it was', async () => {
    await engine.out(['commit', 'idle', `nothing:${driver}`]);
    expect(
      JSON.parse(
        await engine.out(['image', 'inspect', '-f', '{{json .RootFS.Layers}}', `nothing:${driver}`]),
      ),
    ).toHaveLength(1);
    const id = await engine.out(['run', '-d', 'base', 'sleep', '100']);
    await engine.out(['commit', id]);
    expect(await engine.out(['inspect', '-f', '{{.State.Status}}', id])).toBe('running');
    await engine.out(['pause', id]);
    await engine.out(['commit', id]);
    expect(await engine.out(['inspect', '-f', '{{.State.Status}}', id])).toBe('paused');
    await engine.out(['rm', '-f', id]);
    const bad = await engine.run(['commit', '-c', 'FROM x', 'idle']);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain('FROM is not a valid change command');
    await engine.out(['rmi', '-f', 'base', `made:${driver}`]);
    const rescued = await engine.out(['commit', 'work', `rescued:${driver}`]);
    expect(
      (await engine.out(['save', `rescued:${driver}`, '-o', join(engine.root, 'rescued.tar')])) === '',
    ).toBe(true);
    expect(rescued).toStartWith('sha256:');
  });
});
