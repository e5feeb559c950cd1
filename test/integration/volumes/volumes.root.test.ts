import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { expectNothingLeft, importVolumeBox } from '../../support/engine/volume-box.ts';

// Volumes as the stock client makes them, and what containers find in them. Expected: what Docker 28.5 gave the same image.
const MATRIX = [
  { driver: 'erofs', runtime: 'crun' },
  { driver: 'overlay', runtime: 'runc' },
] as const;

describe.each(MATRIX)('volumes on $driver with $runtime', ({ driver, runtime }) => {
  let engine: TestDaemon;
  beforeAll(async () => {
    engine = await startDaemon({ driver, runtime });
    await importVolumeBox(engine, 'box');
    await importVolumeBox(engine, 'box:vol', 'VOLUME /data', 'VOLUME /vol2');
  });
  afterEach(async () => {
    await engine.removeContainers();
    const left = (await engine.out(['volume', 'ls', '-q'])).split('\n').filter(Boolean);
    if (left.length > 0) await engine.out(['volume', 'rm', ...left]);
    await eventually(() => readdirSync(join(engine.dataRoot, 'volumes')).length === 0);
    await expectNothingLeft(engine);
  });
  afterAll(() => engine.close());

  const run = (...args: string[]) => engine.run(['run', '--rm', ...args]);
  const out = async (...args: string[]) => {
    const { stdout, stderr, code } = await run(...args);
    if (code !== 0) throw new Error(`${code}: ${stderr}${stdout}`);
    return stdout.trimEnd();
  };
  const volumes = async (...filters: string[]) =>
    (await engine.out(['volume', 'ls', '-q', ...filters.flatMap((filter) => ['-f', filter])]))
      .split('\n')
      .filter(Boolean);
  const dataOf = (name: string) => join(engine.dataRoot, 'volumes', name, '_data');
  const mountsOf = async (container: string) =>
    (await engine.inspect(container))['Mounts'] as Record<string, unknown>[];

  test('a name is a volume: made with the container, filled from the image, there after it', async () => {
    expect(
      await out('-v', 'nn:/data', 'box', 'stat', '-c', '%a %u:%g %n', '/data', '/data/hello', '/data/sub'),
    ).toBe('1770 1000:2000 /data\n644 1000:2000 /data/hello\n755 1000:2000 /data/sub');
    await out('-v', 'nn:/v', 'box', 'rm', '-r', '/v/hello', '/v/sub');
    expect(await out('-v', 'nn:/data', 'box', 'cat', '/data/hello')).toBe('hi');
    expect(await out('-v', 'nn:/v', 'box', 'sh', '-c', 'echo more > /v/hello; ls /v')).toBe('hello\nsub');
    expect(await out('-v', 'nn:/data:ro', 'box', 'cat', '/data/hello')).toBe('more');
    expect(await volumes()).toEqual(['nn']);
  });

  test('nocopy and a subpath leave a volume as it is; a link of the image is followed inside it', async () => {
    expect(await out('-v', 'nn0:/data:nocopy', 'box', 'stat', '-c', '%a %u:%g', '/data')).toBe('755 0:0');
    expect(await out('-v', 'nn1:/link', 'box', 'ls', '/data/sub')).toBe('x');
    expect(readdirSync(dataOf('nn1'))).toEqual(['x']);
    expect(await run('-v', 'nn2:/afile', 'box', 'true')).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('source /afile is not directory'),
    });
    expect(await volumes('name=nn')).toEqual(['nn0', 'nn1']);
  });

  test('volumes of image and user that nobody names: made for one container, gone with it', async () => {
    const id = await engine.out(['create', '-v', '/own', '-v', 'named:/data', 'box:vol']);
    const mounts = await mountsOf(id);
    expect(
      mounts
        .sort((a, b) => (String(a['Destination']) < String(b['Destination']) ? -1 : 1))
        .map(({ Destination, Mode, Driver, RW }) => [Destination, Mode, Driver, RW]),
    ).toEqual([
      ['/data', 'z', 'local', true],
      ['/own', '', 'local', true],
      ['/vol2', '', 'local', true],
    ]);
    expect(await volumes('label=com.docker.volume.anonymous')).toHaveLength(2);
    await engine.out(['rm', '-v', id]);
    expect(await volumes()).toEqual(['named']);
    await out('box:vol', 'touch', '/data/x');
    expect(await volumes()).toEqual(['named']);
  });

  test('--volumes-from: of a container that does not run, read-only on its word, precedence and removal as Docker', async () => {
    const args = ['-v', 'nn:/data', '-v', '/anon', '-v', `${engine.root}:/t:ro`, '--tmpfs', '/tm'];
    await engine.out(['create', '--name', 'src', ...args, 'box', 'true']);
    const shown = 'stat -c %a /data /anon; touch /data/w /anon/w && ls /data /anon; touch /t/x; ls -d /tm';
    const result = await run('--volumes-from', 'src', 'box', 'sh', '-c', shown);
    expect(result.stdout).toBe('1770\n755\n/anon:\nw\n\n/data:\nhello\nsub\nw\n');
    expect(result.stderr).toMatch(/\/t\/x: Read-only[^]*\/tm: No such file/);
    const readOnly = await run('--volumes-from', 'src:ro', 'box', 'touch', '/data/w2');
    expect(readOnly.stderr).toContain('Read-only file system');
    await engine.out(['create', '--name', 'over', '--volumes-from', 'src', '-v', 'mm:/data', 'box:vol']);
    expect(
      (await mountsOf('over'))
        .map(({ Name, Destination, RW }) => [Name, Destination, RW])
        .sort((a, b) => (String(a[1]) < String(b[1]) ? -1 : 1)),
    ).toMatchObject([
      [expect.stringMatching(/^[0-9a-f]{64}$/), '/anon', true],
      ['mm', '/data', true],
      [undefined, '/t', false],
      [expect.stringMatching(/^[0-9a-f]{64}$/), '/vol2', true],
    ]);
    await engine.out(['rm', '-v', 'src']);
    expect(await volumes('label=com.docker.volume.anonymous')).toHaveLength(2);
    await engine.out(['rm', '-v', 'over']);
    expect(await volumes()).toEqual(['mm', 'nn']);
  });

  test('what is in use stays, whoever asks', async () => {
    const id = await engine.out(['create', '-v', 'nn:/data', 'box']);
    for (const flags of [[], ['-f']])
      expect(await engine.run(['volume', 'rm', ...flags, 'nn'])).toMatchObject({
        code: 1,
        stderr: `Error response from daemon: remove nn: volume is in use - [${id}]\n`,
      });
    expect(await engine.out(['volume', 'prune', '-af'])).toBe('Total reclaimed space: 0B');
    expect(await engine.out(['ps', '-aq', '--no-trunc', '--filter', 'volume=nn'])).toBe(id);
    expect(await engine.out(['ps', '-aq', '--filter', 'volume=/nosuch'])).toBe('');
  });

  test('create, ls, inspect, prune: labels, options, filters', async () => {
    const create = ['volume', 'create', '--label', 'a=b', '--label', 'c'];
    expect(await engine.out([...create, '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'dev'])).toBe('dev');
    expect(await engine.out(['volume', 'create', '-d', 'local', 'plain'])).toBe('plain');
    expect(await engine.out([...create, 'plain'])).toBe('plain');
    const anonymous = await engine.out(['volume', 'create']);
    const [dev] = JSON.parse(await engine.out(['volume', 'inspect', 'dev'])) as Record<string, unknown>[];
    expect(dev).toMatchObject({
      Driver: 'local',
      Labels: { a: 'b', c: '' },
      Mountpoint: dataOf('dev'),
      Name: 'dev',
      Options: { device: 'tmpfs', type: 'tmpfs' },
      Scope: 'local',
    });
    expect(await engine.out(['volume', 'inspect', '-f', '{{json .Labels}}{{json .Options}}', 'plain'])).toBe(
      'nullnull',
    );
    expect(await volumes('label=a=b')).toEqual(['dev']);
    expect(await volumes('name=^dev')).toEqual(['dev']);
    expect(await volumes('dangling=true')).toHaveLength(3);
    expect(await engine.out(['volume', 'prune', '-f'])).toStartWith(`Deleted Volumes:\n${anonymous}\n`);
    expect(await engine.out(['volume', 'prune', '-af', '--filter', 'label=a'])).toStartWith('Total');
    expect(await engine.out(['volume', 'prune', '-af'])).toStartWith('Deleted Volumes:\nplain\n');
    const df = JSON.parse((await engine.api('GET', '/system/df?type=volume')).body) as { Volumes: unknown[] };
    expect([df.Volumes, await volumes()]).toEqual([[], ['dev']]);
    expect(await engine.api('PUT', '/volumes/dev', { Spec: {} })).toMatchObject({ status: 503 });
    expect(await engine.api('POST', '/volumes/create', { Name: 'x', ClusterVolumeSpec: {} })).toMatchObject({
      status: 503,
    });
  });

  test('owner and mode at creation stay, whatever the image has', async () => {
    const create = ['volume', 'create', '--owner', '12:34', '--mode', '2750', 'own'];
    await engine.out(create, { client: 'sampan' });
    expect(await out('-v', 'own:/data', 'box', 'stat', '-c', '%a %u:%g', '/data', '/data/hello')).toBe(
      '2750 12:34\n644 1000:2000',
    );
    expect(await engine.out(['volume', 'inspect', '-f', '{{.Status.Owner}} {{.Status.Mode}}', 'own'])).toBe(
      '12:34 2750',
    );
    for (const [flag, bad] of [
      ['--owner', 'root'],
      ['--mode', '9'],
      ['--owner', '1:4294967295'],
    ] as const)
      expect(await engine.run(['volume', 'create', flag, bad, 'bad'], { client: 'sampan' })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('invalid'),
      });
  });

  test('a device is mounted at its first use, once, and goes with its last user', async () => {
    const source = join(engine.root, 'shared');
    mkdirSync(source);
    writeFileSync(join(source, 'there'), 'x');
    const mounted = () => engine.traces().mounts.filter((point) => point.endsWith('/_data'));
    await engine.out([
      'volume',
      'create',
      '-o',
      'type=none',
      '-o',
      'o=bind',
      '-o',
      `device=${source}`,
      'bound',
    ]);
    expect(mounted()).toEqual([]);
    for (const name of ['one', 'two'])
      await engine.out(['run', '-d', '--name', name, '-v', 'bound:/b', 'box', 'sleep', '1000']);
    expect(mounted()).toEqual([dataOf('bound')]);
    await engine.out(['rm', '-f', 'one']);
    expect(mounted()).toEqual([dataOf('bound')]);
    await engine.restart('SIGKILL');
    expect(mounted()).toEqual([dataOf('bound')]);
    expect(await out('--volumes-from', 'two', 'box', 'sh', '-c', 'touch /b/new; ls /b')).toBe('new\nthere');
    await engine.out(['rm', '-f', 'two']);
    await eventually(() => mounted().length === 0);
    await engine.out(['volume', 'rm', 'bound']);
    expect(readdirSync(source).sort()).toEqual(['new', 'there']);
  });

  test('tmpfs and read-only binds as devices; what cannot be mounted says so in the words of Docker', async () => {
    const opts = (o: string, type = 'tmpfs', device = 'tmpfs') =>
      [`type=${type}`, `o=${o}`, `device=${device}`].flatMap((opt) => ['-o', opt]);
    await engine.out(['volume', 'create', ...opts('size=1m,uid=7,mode=750,noexec'), 'tm']);
    const script = 'grep " /data" /proc/mounts; stat -c "%a %u" /data; ls /data';
    expect(await out('-v', 'tm:/data:nocopy', 'box', 'sh', '-c', script)).toMatch(
      /^tmpfs \/data tmpfs rw,noexec,relatime,size=1024k,mode=750,uid=7 .*\n750 7$/,
    );
    // What was copied went with the mount that it was copied to.
    expect(await out('-v', 'tm:/data', 'box', 'ls', '/data')).toBe('');
    await engine.out(['volume', 'create', ...opts('bind,ro', 'none', engine.root), 'ro']);
    expect((await run('-v', 'ro:/r', 'box', 'touch', '/r/x')).stderr).toContain('Read-only file system');
    const data = dataOf('bad');
    for (const [options, why] of [
      [opts('bind', 'none', '/no/such'), `mount /no/such:${data}, flags: 0x1000: no such file or directory`],
      [opts('size=1m,bogus=1'), `mount tmpfs:${data}, data: size=1m,bogus=1: invalid argument`],
      [opts('', 'nosuchfs', 'x'), `mount x:${data}: no such device`],
      [opts('addr=127.0.0.1,rw', 'nfs', ':/x'), `mount :/x:${data}, data: addr=127.0.0.1: no such device`],
    ] as const) {
      await engine.out(['volume', 'create', ...options, 'bad']);
      expect((await run('-v', 'bad:/t', 'box', 'true')).stderr).toContain(
        `error while mounting volume '${data}': failed to mount local volume: ${why}`,
      );
      await engine.out(['volume', 'rm', 'bad']);
    }
  });

  test('events tell of volumes and of what containers do with them', async () => {
    const since = String(Date.now() / 1000);
    await engine.out(['volume', 'create', 'nn']);
    await engine.out(['volume', 'create', 'nn']);
    await out('-v', 'nn:/data:ro', '-v', 'mm:/m', 'box', 'true');
    await engine.out(['volume', 'rm', 'nn', 'mm']);
    const until = String(Date.now() / 1000 + 1);
    const format =
      '{{.Action}} {{.Actor.ID}} {{index .Actor.Attributes "read/write"}} {{.Actor.Attributes.destination}}';
    const text = await engine.out([
      'events',
      `--since=${since}`,
      `--until=${until}`,
      '--filter=type=volume',
      `--format=${format}`,
    ]);
    expect(
      text
        .replaceAll('<no value>', '')
        .split('\n')
        .map((line) => line.trim())
        .sort(),
    ).toEqual([
      'create mm',
      'create nn',
      'destroy mm',
      'destroy nn',
      'mount mm true /m',
      'mount nn false /data',
      'unmount mm',
      'unmount nn',
    ]);
  });

  test('a volume that others work in is filled without being led elsewhere', async () => {
    const outside = join(engine.root, 'outside');
    mkdirSync(outside);
    await engine.out([
      'volume',
      'create',
      '-o',
      'type=none',
      '-o',
      'o=bind',
      '-o',
      `device=${outside}`,
      'evil',
    ]);
    // A link that stands in the way when the copy comes to it: whoever puts one there must not get the copy to follow it.
    await engine.out(['volume', 'create', 'nn']);
    symlinkSync(outside, join(dataOf('nn'), 'sub'));
    expect(await out('-v', 'nn:/data', 'box', 'readlink', '/data/sub')).toBe(outside);
    expect(readdirSync(outside)).toEqual([]);
    expect(await out('-v', 'evil:/data', 'box', 'cat', '/data/sub/x')).toBe('x');
    expect(existsSync(join(outside, 'sub/x'))).toBe(true);
  });
});
