import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { eventually } from '../../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { directory, file, makeTar, symlink, type TarMember } from '../../support/images/tar-maker.ts';

// What a container finds in its root. Expected: what Docker 28.5 gave the same images.
const MATRIX = [
  { driver: 'erofs', runtime: 'crun' },
  { driver: 'overlay', runtime: 'runc' },
] as const;

const APPLETS = ['sh', 'ls', 'cat', 'stat', 'id', 'touch', 'grep', 'env', 'ps', 'sleep', 'readlink', 'mount'];

/** An image of busybox, and these members. */
function imageOf(members: readonly TarMember[]): Uint8Array {
  return makeTar([
    directory('bin'),
    file('bin/busybox', readFileSync('/bin/busybox'), 0o755),
    ...APPLETS.map((name) => symlink(`bin/${name}`, 'busybox')),
    ...members,
  ]);
}

describe.each(MATRIX)("a container's root on $driver with $runtime", ({ driver, runtime }) => {
  let engine: TestDaemon;
  let made = 0;

  beforeAll(async () => {
    engine = await startDaemon({ driver, runtime });
    await importImage('plain', []);
  });
  afterEach(() => engine.removeContainers());
  afterAll(() => engine.close());

  async function importImage(name: string, members: readonly TarMember[], ...changes: string[]) {
    const flags = ['CMD ["/bin/sh"]', ...changes].flatMap((change) => ['-c', change]);
    await engine.out(['import', ...flags, '-', name], { stdin: imageOf(members) });
    return name;
  }
  const sh = (args: string[], image: string, script: string) =>
    engine.run(['run', '--rm', ...args, image, '/bin/sh', '-c', script]);
  const outOf = async (args: string[], image: string, script: string) => {
    const { stdout, stderr, code } = await sh(args, image, script);
    if (code !== 0) throw new Error(`${code}: ${stderr}${stdout}`);
    return stdout.trimEnd();
  };

  test('places to mount on, .dockerenv and mtab are there in an image of nothing', async () => {
    expect(await outOf([], 'plain', 'stat -c "%a %u:%g %s %F" /.dockerenv; readlink /etc/mtab')).toBe(
      '755 0:0 0 regular empty file\n/proc/mounts',
    );
    expect(await outOf([], 'plain', 'cat /etc/hostname; ls /etc')).toMatch(
      /^[0-9a-f]{12}\nhostname\nhosts\nmtab\nresolv.conf$/,
    );
    expect(await outOf(['-u', '4711'], 'plain', 'echo $HOME')).toBe('/');
  });

  const OUT = '../../../../../../tmp/sampan-outside';
  const HOSTILE: Record<string, TarMember[]> = {
    '/etc dangling': [symlink('etc', '/nowhere/etc')],
    '/etc outside': [symlink('etc', OUT)],
    '/etc a file': [file('etc', 'x')],
    'files of /etc dangling': [
      directory('etc'),
      symlink('etc/hosts', '/nowhere/hosts'),
      symlink('etc/resolv.conf', OUT),
      symlink('etc/hostname', '/etc/hostname'),
      symlink('etc/mtab', OUT),
    ],
    '/proc a link': [directory('tmp'), symlink('proc', '/tmp')],
    '/proc outside': [symlink('proc', OUT)],
    '/sys dangling': [symlink('sys', '/nowhere/sys')],
    '/dev a link': [directory('tmp'), symlink('dev', '/tmp')],
    '/dev outside': [symlink('dev', OUT)],
    '.dockerenv outside': [symlink('.dockerenv', OUT)],
  };
  // They differ in nothing that drivers do.
  const hostile = driver === 'erofs' ? Object.keys(HOSTILE) : ['/etc outside', '/dev outside'];
  test.each(hostile)('%s: it starts, and nothing is written elsewhere', async (name) => {
    const image = await importImage(`hostile:${made++}`, HOSTILE[name] ?? []);
    const script =
      'for d in /etc /proc /sys /dev; do stat -c %F $d; done; for f in hosts resolv.conf hostname; do stat -c %F /etc/$f; done; cat /etc/hosts /proc/1/comm; ls -d /nowhere /tmp/sampan-outside';
    const { stdout, stderr } = await sh([], image, script);
    expect(stdout.split('\n').slice(0, 7)).toEqual([
      ...Array<string>(4).fill('directory'),
      ...Array<string>(3).fill('regular file'),
    ]);
    expect(stdout).toContain('127.0.0.1\tlocalhost');
    expect(stderr.match(/No such file/g)).toHaveLength(2);
    expect(await Bun.file('/tmp/sampan-outside').exists()).toBe(false);
  });

  test('a directory where a file is mounted is a clear error', async () => {
    const image = await importImage('hosts-dir', [directory('etc'), directory('etc/hosts')]);
    const { code, stderr } = await sh([], image, 'true');
    expect([code, stderr]).toEqual([
      expect.any(Number),
      expect.stringMatching(/error mounting ".*\/hosts" to rootfs at "\/etc\/hosts".*not a directory/),
    ]);
    expect(code).toBeGreaterThan(124);
  });

  test("the host's network brings the host's names", async () => {
    expect(await outOf(['--network', 'host'], 'plain', 'cat /etc/hosts')).toBe(
      readFileSync('/etc/hosts', 'utf8').trimEnd(),
    );
    expect(await outOf(['--network', 'host'], 'plain', 'cat /etc/hostname')).toBe(
      readFileSync('/proc/sys/kernel/hostname', 'utf8').trimEnd(),
    );
  });

  test('--init reaps orphans, passes signals on, and is not seen in inspect', async () => {
    const orphans =
      '(sleep 0.1 & exec true) ; (sleep 0.1 &) ; sleep 0.5; ps -o stat,args; readlink /proc/1/exe';
    const seen = await outOf(['--init'], 'plain', orphans);
    expect(seen).toContain('/sbin/docker-init -- /bin/sh -c');
    expect(seen).toContain('/sbin/docker-init\n'.trim());
    expect(seen).not.toMatch(/^Z/m);
    expect(await outOf([], 'plain', '(sleep 0.1 &); sleep 0.5; ps -o stat,args')).not.toContain(
      'docker-init',
    );

    const trap = 'trap "echo got; exit 7" TERM; echo up; while :; do sleep 0.05; done';
    await engine.out(['run', '-d', '--init', '--read-only', '--name', 'box', 'plain', '/bin/sh', '-c', trap]);
    await eventually(async () => (await engine.out(['logs', 'box'])).includes('up'));
    await engine.out(['stop', 'box']);
    expect(await engine.out(['logs', 'box'])).toContain('got');
    expect(
      await engine.out(['inspect', '-f', '{{.State.ExitCode}} {{.Path}} {{.HostConfig.Init}}', 'box']),
    ).toBe('7 /bin/sh true');
    expect(await outOf(['--init', '--pid', 'host'], 'plain', 'ls /sbin 2>/dev/null || echo none')).toBe(
      'none',
    );
  });

  const data: TarMember[] = [
    { ...directory('data', 0o1770), uid: 5, gid: 6 },
    { ...file('data/f', 'hello', 0o640), uid: 7, gid: 8 },
    symlink('data/l', '../../../etc/passwd'),
    symlink('link', '/data'),
    file('file', 'x'),
  ];

  test('a volume of the image has its content and owners, and is writable below a read-only root', async () => {
    const image = await importImage('volume', data, 'VOLUME /data');
    const script =
      'stat -c "%a %u:%g" /data /data/f; cat /data/f; readlink /data/l; echo; touch /data/new && echo written; touch /x';
    const { stdout, stderr } = await sh(['--read-only'], image, script);
    expect(stdout).toBe('1770 5:6\n640 7:8\nhello../../../etc/passwd\n\nwritten\n');
    expect(stderr).toContain('Read-only file system');
    await importImage('linked', data, 'VOLUME ["/link", "/new/place/"]');
    expect(await outOf(['--read-only'], 'linked', 'cat /data/f; touch /new/place/a && echo ok')).toBe(
      'hellook',
    );
  });

  test('a volume keeps what is written in it, and goes by the rules of rm', async () => {
    const image = await importImage('kept', data, 'VOLUME /data');
    const volumes = `${engine.dataRoot}/volumes`;
    const folders = async () =>
      (await Bun.$`ls ${volumes}`.nothrow().quiet().text()).split('\n').filter(Boolean);
    const before = await folders();
    await engine.out([
      'run',
      '--name',
      'box',
      '-v',
      '/mine',
      image,
      '/bin/sh',
      '-c',
      'touch /data/kept /mine/x',
    ]);
    const [first] = JSON.parse(await engine.out(['inspect', '-f', '{{json .Mounts}}', 'box'])) as object[];
    expect(first).toEqual({
      Type: 'volume',
      Name: expect.stringMatching(/^[0-9a-f]{64}$/),
      Source: expect.stringMatching(new RegExp(`^${volumes}/[0-9a-f]{64}/_data$`)),
      Destination: '/data',
      Driver: 'local',
      Mode: '',
      RW: true,
      Propagation: '',
    });
    await engine.restart('SIGKILL');
    await engine.out(['start', 'box']);
    expect((await folders()).length).toBe(before.length + 2);
    await eventually(
      async () => (await engine.out(['inspect', '-f', '{{.State.Running}}', 'box'])) === 'false',
    );
    await engine.out(['rm', '-v', 'box']);
    await eventually(async () => (await folders()).length === before.length);
    await engine.out(['run', '--rm', image, '/bin/sh', '-c', 'true']);
    await eventually(async () => (await folders()).length === before.length);
    await engine.out(['run', '--name', 'left', image, '/bin/sh', '-c', 'true']);
    await engine.out(['rm', 'left']);
    await engine.restart();
    expect((await folders()).length).toBe(before.length + 1);
  });

  test('a creation whose volume has no place leaves nothing', async () => {
    const image = await importImage('over-file', data, 'VOLUME ["/data", "/file"]');
    const { code, stderr } = await engine.run(['create', '--name', 'box', image]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('cannot mount volume over existing file, file exists /file'),
    ]);
    expect(engine.traces()).toEqual({ mounts: expect.any(Array), cgroups: [], files: [] });
    expect(await engine.out(['ps', '-aq'])).toBe('');
  });
});
