import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, must } from '../../support/engine/command.ts';
import { startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { expectNothingLeft, importVolumeBox } from '../../support/engine/volume-box.ts';

// `--mount` in all its forms, as containers see them. Expected: what Docker 28.5 gave the same image.
const MATRIX = [
  { driver: 'erofs', runtime: 'crun' },
  { driver: 'overlay', runtime: 'runc' },
] as const;

describe.each(MATRIX)('mounts on $driver with $runtime', ({ driver, runtime }) => {
  let engine: TestDaemon;
  let base: string;
  beforeAll(async () => {
    engine = await startDaemon({ driver, runtime });
    await importVolumeBox(engine, 'box');
    base = join(engine.root, 'host');
    mkdirSync(join(base, 'below'), { recursive: true });
    writeFileSync(join(base, 'plain'), 'plain\n');
    // Seen by the daemon only if it is there before its own mount namespace is made.
    await engine.stop();
    await must([
      'nsenter',
      `--mount=${join(engine.execRoot, 'mount-namespace/pin')}`,
      'mount',
      '-t',
      'tmpfs',
      '-o',
      'nosuid,noexec',
      'tmpfs',
      join(base, 'below'),
    ]);
    await must([
      'nsenter',
      `--mount=${join(engine.execRoot, 'mount-namespace/pin')}`,
      'mount',
      '--make-shared',
      join(base, 'below'),
    ]);
    await engine.start();
  });
  afterEach(async () => {
    await engine.removeContainers();
    await engine.out(['volume', 'prune', '-af']);
    await eventually(async () => {
      const { mounts } = engine.traces();
      return mounts.every((point) => !point.startsWith(join(engine.execRoot, 'mounts')));
    });
    expect(
      existsSync(join(engine.execRoot, 'mounts')) && (await must(['ls', join(engine.execRoot, 'mounts')])),
    ).toBeFalsy();
  });
  afterAll(async () => {
    await must([
      'nsenter',
      `--mount=${join(engine.execRoot, 'mount-namespace/pin')}`,
      'umount',
      '-l',
      join(base, 'below'),
    ]);
    await expectNothingLeft(engine);
    await engine.close();
  });

  const run = (mounts: string[], script: string) =>
    engine.run(['run', '--rm', ...mounts.flatMap((mount) => ['--mount', mount]), 'box', 'sh', '-c', script]);
  const out = async (mounts: string[], script: string) => {
    const { stdout, stderr, code } = await run(mounts, script);
    if (code !== 0) throw new Error(`${code}: ${stderr}${stdout}`);
    return stdout.trimEnd();
  };
  const flagsOf = (table: string, place: string) =>
    new RegExp(`^\\S+ ${place} \\S+ (\\S+)`, 'm').exec(table)?.[1]?.split(',') ?? [];

  test('a bind takes what is mounted below along, read-only all the way or not', async () => {
    const bind = `type=bind,src=${base},dst=/t`;
    const table = (options: string) => out([`${bind}${options}`], 'cat /proc/mounts');
    const [plain, readOnly, writable, shallow] = [
      await table(''),
      await table(',readonly'),
      await table(',readonly,bind-recursive=writable'),
      await table(',bind-recursive=disabled'),
    ];
    const forced = await table(',readonly,bind-recursive=readonly,bind-propagation=rprivate');
    expect([flagsOf(plain, '/t')[0], flagsOf(plain, '/t/below')[0]]).toEqual(['rw', 'rw']);
    for (const both of [readOnly, forced])
      expect([flagsOf(both, '/t')[0], flagsOf(both, '/t/below')[0]]).toEqual(['ro', 'ro']);
    expect([flagsOf(writable, '/t')[0], flagsOf(writable, '/t/below')[0]]).toEqual(['ro', 'rw']);
    expect([flagsOf(shallow, '/t')[0], flagsOf(shallow, '/t/below')]).toEqual(['rw', []]);
  });

  test('what the source forbids stays forbidden, whatever else is asked for', async () => {
    for (const options of ['', ',readonly', ',bind-propagation=rslave']) {
      const table = await out([`type=bind,src=${base}/below,dst=/t${options}`], 'cat /proc/mounts');
      expect(flagsOf(table, '/t')).toContain('nosuid');
      expect(flagsOf(table, '/t')).toContain('noexec');
    }
  });

  test('propagation: only where the source has peers', async () => {
    const propagating = (path: string, how: string) =>
      run([`type=bind,src=${path},dst=/t,bind-propagation=${how}`], 'grep " /t " /proc/self/mountinfo');
    expect((await propagating(`${base}/below`, 'rshared')).stdout).toMatch(/ shared:\d+/);
    expect((await propagating(`${base}/below`, 'rslave')).stdout).toMatch(/ master:\d+/);
    const { stderr } = await propagating(base, 'rshared');
    expect(stderr).toMatch(new RegExp(`path ${base} is mounted on \\S+ but it is not a shared mount`));
  });

  test('a source that is not there: refused, or made on request', async () => {
    const absent = join(base, 'absent');
    expect((await run([`type=bind,src=${absent},dst=/t`], 'true')).stderr).toContain(
      `invalid mount config for type "bind": bind source path does not exist: ${absent}`,
    );
    expect(await out([`type=bind,src=${absent},dst=/t,bind-create-src=true`], 'ls /t').catch(String)).toMatch(
      /^$|bind-create-src/,
    );
    expect(
      await engine.out(
        ['run', '--rm', '--mount', `type=bind,src=${absent},dst=/t,bind-create-src`, 'box', 'ls', '/t'],
        { client: 'sampan' },
      ),
    ).toBe('');
    expect(existsSync(absent)).toBe(true);
    rmSync(absent, { recursive: true });
    expect(await engine.out(['run', '--rm', '-v', `${absent}:/t`, 'box', 'stat', '-c', '%a', '/t'])).toBe(
      '755',
    );
    rmSync(absent, { recursive: true });
  });

  test('a file over a directory, and the other way, fail in the words of runc; a file read-only works', async () => {
    const message = (what: string) =>
      new RegExp(
        `error mounting "${base}\\S*" to rootfs at "${what}": [^]*not a directory: Are you trying to mount a directory onto a file`,
      );
    expect((await run([`type=bind,src=${base},dst=/afile`], 'true')).stderr).toMatch(message('/afile'));
    expect((await run([`type=bind,src=${base}/plain,dst=/data`], 'true')).stderr).toMatch(
      /not a directory|^$/,
    );
    expect(await out([`type=bind,src=${base}/plain,dst=/afile,readonly`], 'cat /afile')).toBe('plain');
  });

  test('tmpfs: size, mode, read-only; over a directory it takes that one’s mode', async () => {
    const table = await out(
      [
        'type=tmpfs,dst=/a,tmpfs-size=1m,tmpfs-mode=700',
        'type=tmpfs,dst=/b,readonly',
        'type=tmpfs,dst=/data',
      ],
      'cat /proc/mounts; stat -c "%a %u:%g" /data',
    );
    expect(flagsOf(table, '/a')).toEqual([
      'rw',
      'nosuid',
      'nodev',
      'noexec',
      'relatime',
      'size=1024k',
      'mode=700',
    ]);
    expect(flagsOf(table, '/b').slice(0, 4)).toEqual(['ro', 'nosuid', 'nodev', 'noexec']);
    expect(table).toEndWith('1770 0:0');
    const body = {
      Image: 'box',
      Cmd: ['cat', '/proc/mounts'],
      HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/e', TmpfsOptions: { Options: [['exec']] } }] },
    };
    const { Id } = JSON.parse((await engine.api('POST', '/containers/create', body)).body) as { Id: string };
    expect(flagsOf(await engine.out(['start', '-a', Id]), '/e')).not.toContain('noexec');
    const { HostConfig, Mounts } = await engine.inspect(Id);
    expect((HostConfig as { Mounts: unknown }).Mounts).toEqual(body.HostConfig.Mounts);
    expect(Mounts).toEqual([
      { Type: 'tmpfs', Source: '', Destination: '/e', Mode: '', RW: true, Propagation: '' },
    ]);
  });

  test('a volume of options that a mount brings; anonymous ones go with the container', async () => {
    const mount =
      'type=volume,src=opted,dst=/v,volume-driver=local,volume-label=a=b,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=2m';
    expect(await out([mount], 'grep " /v " /proc/mounts')).toContain('size=2048k');
    expect(await engine.out(['volume', 'inspect', '-f', '{{json .Labels}}{{.Options.o}}', 'opted'])).toBe(
      '{"a":"b"}size=2m',
    );
    await engine.out(['volume', 'rm', 'opted']);
    expect(await out(['type=volume,dst=/data'], 'cat /data/hello')).toBe('hi');
    expect(await engine.out(['volume', 'ls', '-q'])).toBe('');
    const Mounts = [
      { Type: 'volume', Source: 'vv', Target: '/t', VolumeOptions: { DriverConfig: { Name: 'nosuch' } } },
    ];
    expect(await engine.api('POST', '/containers/create', { Image: 'box', HostConfig: { Mounts } })).toEqual({
      status: 404,
      body: expect.stringContaining('create vv: error looking up volume plugin nosuch: plugin'),
    });
  });

  test('cp sees of a volume what the container sees', async () => {
    await engine.out([
      'run',
      '--rm',
      '-v',
      'parts:/v',
      'box',
      'sh',
      '-c',
      'mkdir /v/sub; echo in > /v/sub/f',
    ]);
    const part = 'type=volume,src=parts,dst=/m,volume-subpath=sub';
    await engine.out(['run', '-d', '--name', 'part', '--mount', part, 'box', 'sleep', '1000']);
    try {
      const tar = await engine.run(['cp', 'part:/m', '-']);
      expect([tar.code, tar.stdout.includes('m/f'), tar.stdout.includes('m/sub')]).toEqual([0, true, false]);
      const file = join(engine.root, 'to-part');
      writeFileSync(file, 'from outside');
      await engine.out(['cp', file, 'part:/m/new']);
      expect(await engine.out(['exec', 'part', 'cat', '/m/new'])).toBe('from outside');
    } finally {
      await engine.out(['rm', '-f', 'part']);
      await engine.out(['volume', 'rm', 'parts']);
    }
  });

  test('a subpath: folders, files, links inside; whatever leads out is refused', async () => {
    const data = join(engine.dataRoot, 'volumes/tree/_data');
    await out(['type=volume,src=tree,dst=/data'], 'ln -s sub /data/in; ln -s loop /data/loop');
    for (const [name, target] of [
      ['esc', '/etc'],
      ['up', '../..'],
      ['magic', '/proc/self/root'],
      ['abs', join(data, 'sub')],
    ] as const)
      symlinkSync(target, join(data, name));
    const at = (subpath: string) => `type=volume,src=tree,dst=/t,volume-subpath=${subpath}`;
    expect(
      await out(
        [at('sub'), `${at('in').replace('/t', '/u')},readonly`, at('hello').replace('/t', '/f')],
        'ls /t /u; cat /f; touch /t/y; touch /u/z || ls /u',
      ),
    ).toBe('/t:\nx\n\n/u:\nx\nhi\nx\ny');
    for (const [subpath, why] of [
      ['esc', `path concatenation escapes the base directory, base: ${data}, subpath: esc`],
      ['esc/passwd', 'path concatenation escapes the base directory'],
      ['up', 'path concatenation escapes the base directory'],
      ['magic/etc', 'path concatenation escapes the base directory'],
      ['abs', 'path concatenation escapes the base directory'],
      ['nope', `cannot access path ${data}/nope: lstat ${data}/nope: no such file or directory`],
      ['hello/x', `error while resolving symlinks in combined path "${data}/hello/x": not a directory`],
      ['loop', 'EvalSymlinks: too many links'],
    ] as const)
      expect((await run([at(subpath)], 'ls /t')).stderr, subpath).toContain(why);
  });

  test('an image is mounted read-only, whole or a part of it, and stays while a container has it', async () => {
    expect(
      await out(['type=image,src=box,dst=/i'], 'ls /i; cat /i/data/hello; touch /i/x || echo no'),
    ).toMatch(/^afile\nbin\ndata\n[^]*\nhi\nno$/);
    expect(await out(['type=image,src=box,dst=/i,image-subpath=data'], 'ls /i')).toBe('hello\nsub');
    expect((await run(['type=image,src=box,dst=/i,image-subpath=nope'], 'ls /i')).stderr).toContain(
      'cannot access path',
    );
    expect((await run(['type=image,src=box,dst=/i,image-subpath=link'], 'ls /i')).stderr).toContain(
      'escapes the base directory',
    );
    await importVolumeBox(engine, 'extra', 'LABEL x=y');
    const id = await engine.out([
      'run',
      '-d',
      '--mount',
      'type=image,src=extra,dst=/i',
      'box',
      'sleep',
      '1000',
    ]);
    expect((await engine.run(['rmi', 'extra'])).stderr).toContain('is using its referenced image');
    await engine.restart('SIGKILL');
    expect(
      await must([
        'cat',
        `/proc/${await engine.out(['inspect', '-f', '{{.State.Pid}}', id])}/root/i/data/hello`,
      ]),
    ).toBe('hi\n');
    await engine.out(['restart', '-t', '0', id]);
    await engine.out(['rm', '-f', id]);
    await engine.out(['rmi', 'extra']);
  });

  test('a read-only root has volumes that can be written', async () => {
    expect(
      await engine.out([
        'run',
        '--rm',
        '--read-only',
        '-v',
        'vv:/v',
        '-v',
        '/anon',
        'box',
        'sh',
        '-c',
        'touch /v/x /anon/x; touch /x || ls /v /anon',
      ]),
    ).toBe('/anon:\nx\n\n/v:\nx');
  });

  test('conflicting words of a bind fail at the start, as in Docker', async () => {
    const conflicts = async (readOnly: boolean, BindOptions: object) => {
      const Mounts = [{ Type: 'bind', Source: base, Target: '/t', ReadOnly: readOnly, BindOptions }];
      const { body } = await engine.api('POST', '/containers/create', {
        Image: 'box',
        HostConfig: { Mounts },
      });
      const { Id } = JSON.parse(body) as { Id: string };
      return (JSON.parse((await engine.api('POST', `/containers/${Id}/start`)).body) as { message: string })
        .message;
    };
    expect(await conflicts(false, { ReadOnlyNonRecursive: true })).toBe(
      'mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive',
    );
    expect(await conflicts(true, { ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true })).toBe(
      'mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive',
    );
  });
});
