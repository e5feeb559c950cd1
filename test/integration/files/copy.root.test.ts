import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { paxMember, rawMember, rawTar } from '../../../src/archive/testing/raw-tar.ts';
import { readTar } from '../../../src/archive/testing/read-tar.ts';
import { RawClient } from '../../../src/server/testing/raw-client.ts';
import { eventually } from '../../support/engine/command.ts';
import { busyboxPath } from '../../support/engine/seed-registry.ts';
import { type ClientName, startDaemon, type TestDaemon } from '../../support/engine/test-daemon.ts';
import { directory, file, makeTar, symlink } from '../../support/images/tar-maker.ts';

// Files into and out of containers. Expected: what Docker 28.5 answered.
const MATRIX = [
  { driver: 'erofs', runtime: 'crun' },
  { driver: 'overlay', runtime: 'runc' },
] as const;
const CLIENTS = ['docker', 'sampan'] as const;
const APPLETS = ['sh', 'ls', 'cat', 'sleep', 'stat', 'ln', 'mkdir', 'mkfifo', 'mv', 'find', 'touch', 'dd'];
const SETUP =
  'echo hi >/t/x; mkdir -p /d/sub; echo one >/d/f; echo two >/d/sub/g; dd if=/dev/zero of=/zeros bs=1M count=64; ln -s /etc/passwd /d/l; ln -s nowhere /d/dang; ln -s ../../../.. /d/up; ln -s sub /d/ldir; mkfifo /d/fifo; touch /ready; sleep 1000';

describe.each(MATRIX)('copies on $driver with $runtime', ({ driver, runtime }) => {
  let engine: TestDaemon;
  let folder: string;
  let host: string;

  beforeAll(async () => {
    engine = await startDaemon({ driver, runtime });
    folder = mkdtempSync(join(tmpdir(), 'copy-'));
    host = join(folder, 'host');
    mkdirSync(host);
    writeFileSync(join(host, 'h'), 'of the host\n');
    const image = makeTar([
      directory('bin'),
      file('bin/busybox', readFileSync(busyboxPath()), 0o755),
      ...APPLETS.map((name) => symlink(`bin/${name}`, 'busybox')),
      directory('etc'),
      file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/:\n'),
      directory('t'),
    ]);
    await engine.out(['import', '-', 'box'], { stdin: image });
    const options = ['-u', 'root', '--tmpfs', '/t', '-v', `${host}:/b`, '-v', `${host}:/ro:ro`];
    await engine.out(['run', '-d', '--name', 'web', ...options, 'box', '/bin/sh', '-c', SETUP]);
    await eventually(async () => (await head('web', '/ready')).status === 200);
  });
  afterAll(async () => {
    await engine?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const archive = (container: string, path: string, more = '') =>
    `http://d/v1.51/containers/${container}/archive?path=${encodeURIComponent(path)}${more}`;
  const head = async (container: string, path: string) => {
    const response = await fetch(archive(container, path), { method: 'HEAD', unix: engine.socket });
    const stat = response.headers.get('x-docker-container-path-stat');
    return { status: response.status, stat: stat === null ? undefined : JSON.parse(atob(stat)) };
  };
  const put = async (container: string, path: string, body: Uint8Array, more = '') => {
    const response = await fetch(archive(container, path, more), {
      method: 'PUT',
      unix: engine.socket,
      body: body.slice(),
    });
    const text = await response.text();
    return `${response.status}${text === '' ? '' : ` ${(JSON.parse(text) as { message: string }).message}`}`;
  };
  const get = async (container: string, path: string) => {
    const response = await fetch(archive(container, path), { unix: engine.socket });
    return { status: response.status, bytes: await response.bytes() };
  };
  const message = async (container: string, path: string) => {
    const { status, bytes } = await get(container, path);
    return `${status} ${(JSON.parse(Buffer.from(bytes).toString()) as { message: string }).message}`;
  };
  const member = async (container: string, path: string) => {
    const [first] = readTar((await get(container, path)).bytes);
    if (first === undefined) throw new Error('an empty archive');
    return first;
  };
  const text = async (container: string, path: string) => (await member(container, path)).content.toString();

  test.each([
    ['/etc/passwd', { name: 'passwd', mode: 0o644, linkTarget: '' }],
    ['/d/l', { name: 'l', size: 11, mode: 134218239, linkTarget: '/etc/passwd' }],
    ['/d/dang', { name: 'dang', size: 7, mode: 134218239, linkTarget: '/d/nowhere' }],
    ['/d/up/', { name: 'up', mode: 2147484141, linkTarget: '' }],
    ['/d/.', { name: '.', mode: 2147484141 }],
    ['/', { name: '/', mode: 2147484141 }],
    ['.', { name: '.', mode: 2147484141 }],
    ['./d/../d/fifo', { name: 'fifo', mode: 33554852 }],
    ['/t/x', { name: 'x', size: 3 }],
    ['/b/h', { name: 'h', size: 12 }],
  ])('HEAD of %s', async (path, expected) => {
    expect(await head('web', path)).toEqual({ status: 200, stat: expect.objectContaining(expected) });
  });

  test.each([
    ['/nope', '404 Could not find the file /nope in container web'],
    ['/d/dang/', '404 Could not find the file /d/dang/ in container web'],
    ['/proc/1/root/etc', '404 Could not find the file /proc/1/root/etc in container web'],
    ['/d/l/', '500 lstat /d/l/: not a directory'],
    ['/etc/passwd/x', '500 lstat /etc/passwd/x: not a directory'],
    ['', '400 bad parameter: pathcannot be empty'],
  ])('GET of %s is refused', async (path, expected) => {
    expect(await message('web', path)).toBe(expected);
    expect((await head('web', path)).status).toBe(Number(expected.slice(0, 3)));
  });

  test('PUT refuses what Docker refuses', async () => {
    const tar = rawTar(rawMember({ name: 'a' }, 'x'));
    expect(await put('web', '/etc/passwd', tar)).toBe('400 extraction point is not a directory');
    expect(await put('web', '/nope', tar)).toBe('404 Could not find the file /nope in container web');
    expect(await put('web', '/ro', tar)).toBe('400 mounted volume is marked read-only');
    expect(await put('web', '/d/dang', tar)).toBe('404 Could not find the file /d/dang in container web');
    expect(await put('nope', '/d', tar)).toBe('404 No such container: nope');
    const file = rawTar(rawMember({ name: 'sub' }, 'x'));
    expect(await put('web', '/d', file, '&noOverwriteDirNonDir=true')).toBe(
      '500 cannot overwrite directory "sub" with non-directory "/d"',
    );
    const folder = rawTar(rawMember({ name: 'f', type: '5' }));
    expect(await put('web', '/d', folder, '&noOverwriteDirNonDir=1')).toBe(
      '500 cannot overwrite non-directory "f" with directory "/d"',
    );
  });

  test('PUT takes gzip and zstd, gives to the user of the container, and keeps the owner else', async () => {
    const tar = rawTar(rawMember({ name: 'owned', uid: '0002322', gid: '0000115' }, 'text'));
    await engine.out(['create', '--name', 'owner', '-u', 'web', 'box', 'true']);
    const owner = async () => {
      const { uid, gid } = await member('owner', '/etc/owned');
      return [uid, gid];
    };
    expect(await put('owner', '/etc', gzipSync(tar))).toBe('200');
    expect(await owner()).toEqual([0o2322, 0o115]);
    expect(await put('owner', '/etc', zstdCompressSync(tar), '&copyUIDGID=true')).toBe('200');
    expect(await owner()).toEqual([33, 44]);
    expect(await text('owner', '/etc/owned')).toBe('text');
  });

  test('hostile archives end in the container or nowhere', async () => {
    const tar = (...members: Uint8Array[]) => put('web', '/d', rawTar(...members));
    expect(await tar(rawMember({ name: '../x' }))).toMatch(/^400 .*leaves the archive/);
    expect(await tar(rawMember({ name: 'h', type: '1', link: '../../etc/passwd' }))).toMatch(
      /^400 .*leaves the archive/,
    );
    expect(await tar(rawMember({ name: 'h', type: '1', link: 'nothing' }))).toMatch(/^400 .*is not there/);
    expect(await tar(paxMember([['path', 'x'.repeat(5000)]]), rawMember({}))).toMatch(/^400 /);
    const out = `../../../../../..${folder}`;
    expect(
      await tar(rawMember({ name: 'o', type: '2', link: out }), rawMember({ name: 'o/pwned' }, 'x')),
    ).not.toBe('200');
    expect(
      await tar(rawMember({ name: 'e', type: '2', link: '/etc' }), rawMember({ name: 'e/in' }, 'inside')),
    ).toBe('200');
    expect(await text('web', '/etc/in')).toBe('inside');
    expect(await tar(rawMember({ name: '/abs' }, 'x'))).toBe('200');
    expect((await head('web', '/d/abs')).status).toBe(200);
    expect(await tar(rawMember({ name: 'null', type: '3', devMajor: '0000001', devMinor: '0000003' }))).toBe(
      '200',
    );
    expect((await head('web', '/d/null')).stat.mode).toBe(69206436);
    expect(await tar(rawMember({ name: 'nd/.wh.x' }, 'x'))).toBe('200');
    expect((await head('web', '/d/nd/.wh.x')).status).toBe(200);
    expect(await put('web', '/d', Buffer.from('no archive'))).toMatch(/^400 /);
    expect(readdirSync(folder).sort()).toEqual(['host']);
  });

  test('a root that may not be written', async () => {
    await engine.out([
      'run',
      '-d',
      '--name',
      'locked',
      '--read-only',
      '--tmpfs',
      '/t',
      'box',
      '/bin/sleep',
      '1000',
    ]);
    const tar = rawTar(rawMember({ name: 'a' }, 'text'));
    expect(await put('locked', '/etc', tar)).toBe('400 container rootfs is marked read-only');
    expect(await put('locked', '/t', tar)).toBe('200');
    expect(await text('locked', '/t/a')).toBe('text');
  });

  describe.each(CLIENTS)('by %s', (client: ClientName) => {
    const cp = (cwd: string, ...args: string[]) => engine.run(['cp', ...args], { client, cwd });
    const fresh = (name: string) => {
      const path = mkdtempSync(join(tmpdir(), `copy-${name}-`));
      return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
    };

    test('into and out of one that has never run, and what it finds at its start', async () => {
      const { path, remove } = fresh('stopped');
      try {
        mkdirSync(join(path, 'src/deep'), { recursive: true });
        writeFileSync(join(path, 'src/deep/f'), 'text\n');
        symlinkSync('deep', join(path, 'src/l'));
        const name = `stopped-${client}`;
        await engine.out([
          'create',
          '--name',
          name,
          '-v',
          `${host}:/data/b`,
          'box',
          '/bin/find',
          '/new',
          '/data',
        ]);
        expect(await cp(path, 'src', `${name}:/new`)).toMatchObject({ code: 0, stdout: '' });
        expect(await cp(path, `${name}:/new/l/`, 'back')).toMatchObject({ code: 0 });
        expect(readFileSync(join(path, 'back/f'), 'utf8')).toBe('text\n');
        expect(await cp(path, `${name}:/data/b/h`, '.')).toMatchObject({ code: 0 });
        expect(readFileSync(join(path, 'h'), 'utf8')).toBe('of the host\n');
        const found = (await engine.out(['start', '-a', name])).split('\n').sort();
        expect(found).toEqual([
          '/data',
          '/data/b',
          '/data/b/h',
          '/new',
          '/new/deep',
          '/new/deep/f',
          '/new/l',
        ]);
        expect(await cp(path, `${name}:/new/deep/f`, 'after')).toMatchObject({ code: 0 });
        expect(readFileSync(join(path, 'after'), 'utf8')).toBe('text\n');
      } finally {
        remove();
      }
    });

    test.each([
      [['web:/d/f', 'no/new'], /^invalid output path: directory ".*\/no" does not exist$/],
      [['web:/d', 'file'], /^cannot copy directory$/],
      [['web:/d/f', 'new/'], /^no such directory$/],
      [['web:/nope', '.'], /^Error response from daemon: Could not find the file \/nope in container web$/],
      [['nofile', 'web:/'], /^lstat .*\/nofile: no such file or directory$/],
      [
        ['file', 'web:/nope/x'],
        /^Error response from daemon: Could not find the file \/nope in container web$/,
      ],
      [['file', 'web:/nope/'], /no such directory$/],
      [['a:b', 'c:d'], /^copying between containers is not supported$/],
      [['a', 'b'], /^must specify at least one container source$/],
      [['', 'x'], /^source can not be empty$/],
      [['x', ''], /^destination can not be empty$/],
      [
        ['web:/d/f', '/dev/null'],
        /^invalid output path: "\/dev\/null" must be a directory or a regular file: got a device$/,
      ],
      [['-', 'web:/d/f'], /^destination "web:\/d\/f" must be a directory$/],
      [['file', 'nocont:/x'], /^Error response from daemon: No such container: nocont$/],
    ])('%j is refused', async (args, expected) => {
      const { path, remove } = fresh('refused');
      try {
        writeFileSync(join(path, 'file'), 'x');
        const { code, stderr } = await cp(path, ...args);
        expect([code, stderr.trimEnd()]).toEqual([1, expect.stringMatching(expected)]);
      } finally {
        remove();
      }
    });

    test('a tar both ways, and what is said of it', async () => {
      const { path, remove } = fresh('tar');
      try {
        const out = await engine.run(['cp', 'web:/d/sub', '-'], { client });
        expect(out.stdout).toContain('sub/g\0');
        const name = `web:/t/${client}`;
        expect(await put('web', '/t', rawTar(rawMember({ name: client, type: '5', mode: 0o755 })))).toBe(
          '200',
        );
        const into = await engine.run(['cp', '-', name], {
          client,
          stdin: rawTar(rawMember({ name: 'in' }, 'here')),
        });
        expect(into).toMatchObject({ code: 0, stderr: '' });
        expect(await text('web', `/t/${client}/in`)).toBe('here');
        const told = await cp(path, '--quiet=false', 'web:/d/f', 'x');
        expect(told.stderr).toBe(`Successfully copied 2.05kB to ${join(path, 'x')}\n`);
        const back = await cp(path, '--quiet=false', 'x', 'web:/d/x');
        expect(back.stderr).toBe('Successfully copied 2.05kB to web:/d/x\n');
      } finally {
        remove();
      }
    });

    test('-L follows the link that was named', async () => {
      const { path, remove } = fresh('links');
      try {
        await cp(path, '-L', 'web:/d/l', '.');
        expect(readFileSync(join(path, 'l'), 'utf8')).toStartWith('root:');
        await cp(path, '-L', 'web:/d/ldir', 'as');
        expect(readdirSync(join(path, 'as'))).toEqual(['g']);
        writeFileSync(join(path, 'target'), 'behind');
        symlinkSync('target', join(path, 'link'));
        await cp(path, '-L', 'link', 'web:/t');
        expect(await text('web', '/t/link')).toBe('behind');
      } finally {
        remove();
      }
    });
  });

  test('wildcards are resolved in the container', async () => {
    const path = join(folder, 'wild');
    mkdirSync(path);
    try {
      await engine.out(['cp', 'web:/d/[f-s]*', path], { client: 'sampan' });
      expect(
        readdirSync(path)
          .filter((name) => ['dang', 'f', 'fifo', 'sub', 'up'].includes(name))
          .sort(),
      ).toEqual(['f', 'fifo', 'sub']);
      expect(readFileSync(join(path, 'sub/g'), 'utf8')).toBe('two\n');
      await engine.out(['cp', 'web:/d/up/*/passwd', join(path, 'one')], { client: 'sampan' });
      expect(readFileSync(join(path, 'one'), 'utf8')).toStartWith('root:');
      const none = await engine.run(['cp', 'web:/d/*.none', path], { client: 'sampan' });
      expect(none.stderr).toContain('Nothing in container web fits "/d/*.none"');
      const many = await engine.run(['cp', 'web:/d/*', join(path, 'one')], { client: 'sampan' });
      expect(many.stderr).toContain('it is no directory');
    } finally {
      rmSync(path, { recursive: true });
    }
  });

  const processes = (isOne: (pid: string) => boolean) =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('archive-child') && isOne(pid);
        } catch {
          return false;
        }
      });
  const all = () => processes(() => true);
  const world = (pid: string | number) => readlinkSync(`/proc/${pid}/ns/mnt`);
  /** Those at work: one that waits does so in the daemon's mount namespace. */
  const children = () => processes((pid) => world(pid) !== world(engine.pid));

  test('a client that vanishes in the middle of a copy, either way, leaves no process, and the container can go', async () => {
    await engine.out(['create', '--name', 'gone', 'box', 'true']);
    const begin = rawTar(rawMember({ name: 'big', size: 1 << 30 }, '')).subarray(0, 512);
    for (const container of ['web', 'gone']) {
      const client = await RawClient.connect(engine.socket);
      client.socket.write(
        `PUT /v1.51/containers/${container}/archive?path=/etc HTTP/1.1\r\nHost: d\r\nContent-Length: ${1 << 30}\r\n\r\n`,
      );
      client.socket.write(begin);
      client.socket.write(Buffer.alloc(1 << 20));
      await eventually(() => children().length === 1);
      client.socket.destroy();
      await eventually(() => children().length === 0);
    }
    const reader = await RawClient.connect(engine.socket);
    reader.socket.pause();
    reader.socket.write('GET /v1.51/containers/web/archive?path=/ HTTP/1.1\r\nHost: d\r\n\r\n');
    await eventually(() => children().length === 1);
    reader.socket.destroy();
    await eventually(() => children().length === 0);
    await engine.out(['rm', 'gone']);
    expect((await engine.inspect('web'))['State']).toMatchObject({ Running: true });
  });

  test('a child that waits for the next call sees what was mounted since, and ends with the daemon', async () => {
    const spares = () => all().filter((pid) => !children().includes(pid));
    await engine.out(['cp', 'web:/etc/hostname', '-']);
    await eventually(() => spares().length === 1, { what: () => 'a child that waits' });
    const [waiting] = spares();
    // Mounted after that child has started.
    await engine.out(['run', '-d', '--name', 'late', '-v', 'late:/data', 'box', 'sleep', '1000']);
    await engine.out(['exec', 'late', 'sh', '-c', 'echo text > /data/file']);
    expect(await engine.out(['cp', 'late:/data/file', '-'])).toContain('text');
    expect(all()).not.toContain(waiting);
    await eventually(() => spares().length === 1, { what: () => 'another that waits' });
    await engine.restart('SIGKILL');
    await eventually(() => all().length === 0, { what: () => 'the one that waited to end' });
    await engine.out(['rm', '-f', '-v', 'late']);
  });

  test('a copy into a container that is removed meanwhile ends', async () => {
    await engine.out(['create', '--name', 'short', 'box', 'true']);
    const client = await RawClient.connect(engine.socket);
    client.socket.write(
      `PUT /v1.51/containers/short/archive?path=/ HTTP/1.1\r\nHost: d\r\nContent-Length: ${1 << 30}\r\n\r\n`,
    );
    client.socket.write(rawTar(rawMember({ name: 'big', size: 1 << 30 }, '')).subarray(0, 512));
    await eventually(() => children().length === 1);
    await engine.out(['rm', 'short']);
    await eventually(() => children().length === 0);
    client.socket.destroy();
  });
});
