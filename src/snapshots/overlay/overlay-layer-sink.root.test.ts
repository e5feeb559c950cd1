import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { paxMember, rawHeader, rawMember, rawTar } from '../../archive/testing/raw-tar.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { bindMount, listMounts, mount, unmountIfMounted } from '../../sys/mount.ts';
import { openOverlayLayerSink } from './overlay-layer-sink.ts';

let base = '';
const stage = (): string => join(base, 'stage');
const fs = (path = ''): string => join(stage(), 'fs', path);

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-unpack-'));
  mkdirSync(join(base, 'outside'));
  writeFileSync(join(base, 'outside', 'file'), 'untouched');
});
afterEach(() => {
  for (const { target } of listMounts())
    if (target.startsWith(`${base}/`)) unmountIfMounted(target, { detach: true });
  rmSync(base, { recursive: true, force: true });
});

async function unpack(tar: Uint8Array, pieceBytes = 64 << 10): Promise<void> {
  const sink = await openOverlayLayerSink({ driver: 'overlay', directory: stage() });
  try {
    for (let at = 0; at < tar.length; at += pieceBytes) await sink.write(tar.subarray(at, at + pieceBytes));
    await sink.finish();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

async function refusal(tar: Uint8Array): Promise<unknown> {
  try {
    await unpack(tar);
  } catch (error) {
    return error instanceof EngineError ? { kind: error.kind, code: error.code } : error;
  }
  return 'taken';
}

const hostile = { kind: 'invalid', code: 'archive-hostile' };

/** Everything `stat` knows of a tree, by GNU find. */
function listing(directory: string): string[] {
  const format = '%P|%y|%m|%U|%G|%T@|%l|%n|%b\n';
  const { stdout } = Bun.spawnSync(['find', directory, '-mindepth', '1', '-printf', format]);
  // The size of a directory and what blocks it has are the file system's own affair.
  const lines = stdout.toString('latin1').trimEnd().split('\n');
  return lines.map((line) => (line.includes('|d|') ? line.replace(/\|\d+\|\d+$/, '') : line)).toSorted();
}

describe('a layer is unpacked as GNU tar does it', () => {
  const script = `
set -e
mkdir -p d/sub 'sp ace' setgid
echo one > d/one; chmod 4711 d/one; chown 12:34 d/one; chmod 4711 d/one
ln d/one d/linked; ln -s ../nowhere d/soft; ln -s soft d/sub/soft2
mknod d/char c 10 229; mknod d/block b 7 3; mkfifo -m 620 d/fifo
chown 5:6 setgid; chmod 2775 setgid; echo x > setgid/inner; mkdir setgid/dir setgid/plain; chmod 700 setgid/plain; chmod g-s setgid/plain; chgrp 0 setgid/plain
printf bad > "$(printf 'bad-\\377')"
truncate -s 3M holes; printf data | dd of=holes bs=1 seek=2000000 conv=notrunc status=none
chmod 1777 'sp ace'; chown -h 9:9 d/soft
touch -d '2001-02-03 04:05:06.789012345' d/one 'sp ace' d
touch -h -d '1969-12-31 12:00:00' d/soft`;

  test.each([[['--format=gnu', '--sparse']], [['--format=pax', '--sparse']], [['--format=pax', '--xattrs']]])(
    '%p',
    async (flags) => {
      const [source, archive, expected] = [
        join(base, 'source'),
        join(base, 'layer.tar'),
        join(base, 'expected'),
      ];
      mkdirSync(source);
      mkdirSync(expected);
      expect(Bun.spawnSync(['sh', '-c', script], { cwd: source }).stderr.toString()).toBe('');
      expect(Bun.spawnSync(['tar', ...flags, '-C', source, '-cf', archive, '.']).exitCode).toBe(0);
      expect(Bun.spawnSync(['tar', '-C', expected, '--numeric-owner', '-xpf', archive]).exitCode).toBe(0);
      await unpack(readFileSync(archive));
      expect(listing(fs())).toEqual(listing(expected));
      expect(readFileSync(fs('holes')).equals(readFileSync(join(expected, 'holes')))).toBe(true);
      expect(readFileSync(join(stage(), 'tar')).equals(readFileSync(archive))).toBe(true);
    },
  );
});

describe('nothing outside is reached', () => {
  const outside = (): string => join(base, 'outside');

  test('through symlinks, absolute and relative: they end inside', async () => {
    const up = '../'.repeat(12);
    await unpack(
      rawTar(
        rawHeader({ name: 'absolute', type: '2', link: outside() }),
        rawMember({ name: 'absolute/file' }, 'inside'),
        rawHeader({ name: 'relative', type: '2', link: `${up}${outside().slice(1)}` }),
        rawMember({ name: 'relative/other' }, 'inside'),
      ),
    );
    expect(readdirSync(outside())).toEqual(['file']);
    expect(readFileSync(join(outside(), 'file'), 'utf8')).toBe('untouched');
    expect(readFileSync(fs(join(outside(), 'file')), 'utf8')).toBe('inside');
    expect(readFileSync(fs(join(outside(), 'other')), 'utf8')).toBe('inside');
  });

  test('by writing onto a symlink: it is replaced', async () => {
    await unpack(
      rawTar(
        rawHeader({ name: 'f', type: '2', link: join(outside(), 'file') }),
        rawMember({ name: 'f' }, 'mine'),
        rawHeader({ name: 'd', type: '2', link: outside() }),
        rawHeader({ name: 'd', type: '5', mode: 0o700 }),
        rawMember({ name: 'd/file' }, 'mine'),
      ),
    );
    expect(readFileSync(join(outside(), 'file'), 'utf8')).toBe('untouched');
    expect(statSync(outside()).mode & 0o777).toBe(0o755);
    expect(lstatSync(fs('d')).isDirectory()).toBe(true);
    expect(readFileSync(fs('f'), 'utf8')).toBe('mine');
  });

  test('by a hard link to a symlink or through one', async () => {
    await unpack(
      rawTar(
        rawHeader({ name: 's', type: '2', link: join(outside(), 'file') }),
        rawHeader({ name: 'h', type: '1', link: 's' }),
        rawMember({ name: 'h' }, 'mine'),
      ),
    );
    expect(readFileSync(join(outside(), 'file'), 'utf8')).toBe('untouched');
    const through = rawTar(
      rawHeader({ name: 'd', type: '2', link: outside() }),
      rawHeader({ name: 'h', type: '1', link: 'd/file' }),
    );
    rmSync(stage(), { recursive: true });
    expect(await refusal(through)).toEqual(hostile);
    expect(statSync(join(outside(), 'file')).nlink).toBe(1);
  });

  test('by whiteouts and opaque marks behind a symlink', async () => {
    await unpack(
      rawTar(
        rawHeader({ name: 'd', type: '2', link: outside() }),
        rawHeader({ name: 'd/.wh.file' }),
        rawHeader({ name: 'd/.wh..wh..opq' }),
      ),
    );
    expect(readFileSync(join(outside(), 'file'), 'utf8')).toBe('untouched');
  });

  test.each([
    ['../ in a name', rawHeader({ name: '../x' })],
    ['../ in a hard link', rawHeader({ type: '1', link: '../outside/file' })],
    ['a whiteout of the root', rawHeader({ name: '.wh.' })],
    ['a whiteout of the parent', rawHeader({ name: 'a/.wh...' })],
    ['a member below a file', Buffer.concat([rawHeader({ name: 'f' }), rawHeader({ name: 'f/x' })])],
    [
      'symlinks in a circle',
      Buffer.concat([
        rawHeader({ name: 'a', type: '2', link: 'b' }),
        rawHeader({ name: 'b', type: '2', link: 'a' }),
        rawHeader({ name: 'a/x' }),
      ]),
    ],
    [
      'a hard link to a directory',
      Buffer.concat([rawHeader({ name: 'd', type: '5' }), rawHeader({ type: '1', link: 'd' })]),
    ],
  ])('%s is refused, and the stage is gone', async (_, member) => {
    expect(await refusal(rawTar(member))).toEqual(hostile);
    expect(existsSync(stage())).toBe(false);
    expect(readdirSync(base)).toEqual(['outside']);
  });
});

test('a way that symlinks make too long is refused', async () => {
  const name = 'n'.repeat(250);
  const deep = Array.from({ length: 15 }, () => name).join('/');
  const tar = rawTar(
    paxMember([
      ['path', 'link'],
      ['linkpath', deep],
    ]),
    rawHeader({ type: '2', link: 'x' }),
    paxMember([['path', `link/${deep}/file`]]),
    rawHeader({}),
  );
  expect(await refusal(tar)).toEqual(hostile);
});

test('capabilities survive owner and content', async () => {
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  const tar = rawTar(
    paxMember([['SCHILY.xattr.security.capability', capability]]),
    rawMember({ name: 'ping', uid: '0000012', mode: 0o755 }, 'elf'),
  );
  await unpack(tar);
  const { stdout } = Bun.spawnSync(['getcap', fs('ping')], {
    env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
  });
  expect(stdout.toString()).toContain('cap_net_raw=ep');
});

test('a full disk is no-space, and nothing stays', async () => {
  const small = join(base, 'small');
  mkdirSync(small);
  mount({ source: 'none', target: small, type: 'tmpfs', data: 'size=1m' });
  mkdirSync(join(small, 'room'));
  mkdirSync(join(base, 'bound'));
  bindMount(join(small, 'room'), join(base, 'bound'));
  const sink = await openOverlayLayerSink({ driver: 'overlay', directory: join(base, 'bound', 'stage') });
  const tar = rawTar(rawMember({ name: 'big' }, Buffer.alloc(4 << 20)));
  const feed = async (): Promise<unknown> => {
    await sink.write(tar);
    return sink.finish();
  };
  const failed = await feed().then(
    () => 'taken',
    (error: unknown) => (error instanceof EngineError ? error.code : error),
  );
  await sink.abort();
  expect(failed).toBe('no-space');
  expect(readdirSync(join(small, 'room'))).toEqual([]);
});

test('abort() in the middle ends the child and leaves nothing', async () => {
  const sink = await openOverlayLayerSink({ driver: 'overlay', directory: stage() });
  await sink.write(rawMember({ name: 'f' }, Buffer.alloc(100_000)).subarray(0, 50_000));
  await sink.abort();
  await sink.abort();
  expect(readdirSync(base)).toEqual(['outside']);
  const { stdout } = Bun.spawnSync(['pgrep', '-f', base]);
  expect(stdout.toString()).toBe('');
});

test('a layer cut short is archive-truncated', async () => {
  const tar = rawMember({ name: 'f' }, 'x'.repeat(10_000)).subarray(0, 5000);
  expect(await refusal(tar)).toEqual({ kind: 'invalid', code: 'archive-truncated' });
});
