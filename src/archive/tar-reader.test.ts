import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { TarReader } from './tar-reader.ts';
import { paxMember, rawHeader, rawMember, rawTar } from './testing/raw-tar.ts';
import { expanded, readTar } from './testing/read-tar.ts';

/** What a thrown value says, for comparison in one go. */
function refusal(action: () => unknown): { kind: string; code: string | undefined; message: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof EngineError) return { kind: error.kind, code: error.code, message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

const hostile = (archive: Uint8Array): string => {
  const { kind, code, message } = refusal(() => readTar(archive));
  expect({ kind, code }).toEqual({ kind: 'invalid', code: 'archive-hostile' });
  return message;
};

describe('archives of GNU tar', () => {
  let base = '';
  const long = `deep/${'n'.repeat(99)}/${'m'.repeat(120)}`;
  const source = (): string => join(base, 'source');

  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'sampan-tar-'));
    mkdirSync(join(source(), 'deep', 'n'.repeat(99)), { recursive: true });
    writeFileSync(join(source(), 'a'), 'hello', { mode: 0o640 });
    linkSync(join(source(), 'a'), join(source(), 'b-hard'));
    symlinkSync('../some where', join(source(), 'soft'));
    writeFileSync(Buffer.concat([Buffer.from(`${source()}/bad-`), Buffer.from([0xff, 0xc3])]), 'bytes');
    const sparse = openSync(join(source(), 'sparse'), 'w');
    for (let i = 0; i < 40; i++) writeSync(sparse, `data ${i}`, 100_000 * i + 7);
    closeSync(sparse);
    truncateSync(join(source(), 'sparse'), 5_000_000);
    utimesSync(join(source(), 'a'), 1_500_000_000.25, 1_500_000_000.25);
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  function made(...flags: string[]): Buffer {
    const archive = join(base, 'made.tar');
    const command = ['tar', ...flags, '--sort=name', '-C', source(), '-cf', archive, '.'];
    const { exitCode, stderr } = Bun.spawnSync(command);
    if (exitCode !== 0) throw new Error(stderr.toString());
    return readFileSync(archive);
  }

  const modern = [
    ['--format=gnu'],
    ['--format=gnu', '--sparse'],
    ['--format=pax'],
    ['--format=pax', '--sparse', '--sparse-version=0.0'],
    ['--format=pax', '--sparse', '--sparse-version=0.1'],
    ['--format=pax', '--sparse', '--sparse-version=1.0'],
  ];

  test.each(modern)('%s %s %s', (...flags) => {
    writeFileSync(join(source(), long), 'long');
    const archive = made(...flags);
    for (const pieceBytes of [archive.length, 1000, 77]) {
      const members = new Map(readTar(archive, { pieceBytes }).map((member) => [member.path, member]));
      expect([...members.keys()].toSorted()).toEqual(
        [
          '',
          'a',
          'b-hard',
          'bad-\udcff\udcc3',
          'deep',
          `deep/${'n'.repeat(99)}`,
          long,
          'soft',
          'sparse',
        ].toSorted(),
      );
      expect(members.get('a')).toMatchObject({ type: 'file', mode: 0o640, mtimeSeconds: 1_500_000_000 });
      expect(members.get('a')?.content.toString()).toBe('hello');
      expect(members.get('a')?.mtimeNanoseconds).toBe(flags.includes('--format=pax') ? 250_000_000 : 0);
      expect(members.get('b-hard')).toMatchObject({ type: 'hardlink', linkTarget: 'a', size: 0 });
      expect(members.get('soft')).toMatchObject({ type: 'symlink', linkTarget: '../some where' });
      expect(members.get(long)?.content.toString()).toBe('long');
      const sparse = members.get('sparse');
      expect(sparse?.sparse === undefined).toBe(!flags.includes('--sparse'));
      expect(sparse && expanded(sparse).equals(readFileSync(join(source(), 'sparse')))).toBe(true);
      for (const member of members.values())
        if (member.size > 0)
          expect(archive.subarray(member.dataOffset).subarray(0, member.size).equals(member.content)).toBe(
            true,
          );
    }
    rmSync(join(source(), long));
  });

  test.each([['--format=v7'], ['--format=ustar']])('%s', (flag) => {
    const members = readTar(made(flag, '--exclude=deep'));
    const { uid, gid } = lstatSync(join(source(), 'a'));
    expect(members.map(({ path }) => path)).toEqual([
      '',
      'a',
      'b-hard',
      'bad-\udcff\udcc3',
      'soft',
      'sparse',
    ]);
    expect(members.find(({ path }) => path === 'a')).toMatchObject({ mode: 0o640, uid, gid, size: 5 });
  });
});

test("archives of Python's tarfile: xattrs, devices, negative times, big ids", () => {
  const script = `
import tarfile, io, sys
out = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT)
def add(name, type=tarfile.REGTYPE, data=b'', **more):
    info = tarfile.TarInfo(name); info.type = type; info.size = len(data)
    for key, value in more.items(): setattr(info, key, value)
    out.addfile(info, io.BytesIO(data))
add('file', data=b'x' * 700, mode=0o4755, uid=3000000, gid=4000000000, mtime=-1.5, pax_headers={'SCHILY.xattr.user.k': 'v=1\\n2'})
add('dev', tarfile.CHRTYPE, devmajor=10, devminor=229)
add('blk', tarfile.BLKTYPE, devmajor=8, devminor=1)
add('pipe', tarfile.FIFOTYPE, mode=0o600)
out.close()`;
  const { stdout } = Bun.spawnSync(['python3', '-c', script]);
  const [file, dev, blk, pipe] = readTar(stdout, { pieceBytes: 513 });
  expect(file).toMatchObject({ mode: 0o4755, uid: 3_000_000, gid: 4_000_000_000, size: 700 });
  expect(file).toMatchObject({ mtimeSeconds: -2, mtimeNanoseconds: 500_000_000 });
  expect(Buffer.from(file!.xattrs.get('user.k')!).toString()).toBe('v=1\n2');
  expect(file!.content.equals(Buffer.alloc(700, 'x'))).toBe(true);
  expect(dev).toMatchObject({ type: 'char', deviceMajor: 10, deviceMinor: 229 });
  expect(blk).toMatchObject({ type: 'block', deviceMajor: 8, deviceMinor: 1 });
  expect(pipe).toMatchObject({ type: 'fifo', mode: 0o600 });
});

describe('TarReader', () => {
  test('names: leading slashes go, dots are resolved inside the tree', () => {
    const names = ['/etc/passwd', './a/./b//c', 'a/../b', './', 'dir/'];
    const archive = rawTar(...names.map((name) => rawHeader({ name, type: '5' })));
    expect(readTar(archive).map(({ path }) => path)).toEqual(['etc/passwd', 'a/b/c', 'b', '', 'dir']);
  });

  test('ustar joins prefix and name, a v7 file with a slash at its end is a directory', () => {
    const archive = rawTar(
      rawHeader({ prefix: 'some/prefix', name: 'name' }),
      rawHeader({ magic: '', type: '\0', name: 'old/' }),
    );
    expect(readTar(archive)).toMatchObject([
      { path: 'some/prefix/name', type: 'file' },
      { path: 'old', type: 'directory' },
    ]);
  });

  test("GNU's magic with a ustar prefix, as Go wrote before 1.8", () => {
    const archive = rawTar(rawHeader({ magic: 'ustar  \0', prefix: 'pre/fix', name: 'name' }));
    expect(readTar(archive)[0]?.path).toBe('pre/fix/name');
  });

  test('base-256 numbers', () => {
    const size = Buffer.from('800000000000000000000003', 'hex');
    const archive = rawTar(rawHeader({ size, mtime: Buffer.alloc(12, 0xff) }), Buffer.alloc(512, 'abc'));
    expect(readTar(archive)[0]).toMatchObject({ size: 3, mtimeSeconds: -1 });
  });

  test('pax records win over the header', () => {
    const records: [string, string][] = [
      ['path', 'über/ł'],
      ['size', '3'],
      ['uid', '8'],
      ['mtime', '5.5'],
    ];
    const archive = rawTar(
      paxMember(records),
      rawHeader({ name: 'short', size: 0 }),
      Buffer.alloc(512, 'abc'),
      rawHeader({ name: 'second' }),
    );
    expect(readTar(archive)).toMatchObject([
      { path: 'über/ł', size: 3, uid: 8, mtimeSeconds: 5, mtimeNanoseconds: 500_000_000 },
      { path: 'second', size: 0, uid: 0 },
    ]);
  });

  // Docker 28.5.2: `docker import` of such an archive makes root's file of 1970, without xattrs.
  test('global pax records mean nothing', () => {
    const records: [string, string][] = [
      ['uid', '7'],
      ['mtime', '5.5'],
      ['SCHILY.xattr.user.a', '1'],
    ];
    const archive = rawTar(paxMember(records, 'g'), rawHeader({ name: 'one', mtime: '0' }));
    expect(readTar(archive)).toMatchObject([
      { uid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, xattrs: new Map() },
    ]);
  });

  test('members with the same xattrs share them', () => {
    const labelled = (value: string) => [
      paxMember([['SCHILY.xattr.security.selinux', value]]),
      rawHeader({ name: 'f' }),
    ];
    const [a, b, c] = readTar(rawTar(...labelled('x'), ...labelled('x'), ...labelled('y')));
    expect(b?.xattrs).toBe(a!.xattrs);
    expect([...c!.xattrs.values()]).toEqual([Buffer.from('y')].map((value) => new Uint8Array(value)));
  });

  test('libarchive xattrs are decoded', () => {
    const archive = rawTar(paxMember([['LIBARCHIVE.xattr.user.a%3Db', 'AQID']]), rawHeader({}));
    expect([...readTar(archive)[0]!.xattrs]).toEqual([['user.a=b', new Uint8Array([1, 2, 3])]]);
  });

  test('the size field of what has no content is not obeyed, as in Go', () => {
    const archive = rawTar(rawHeader({ type: '5', name: 'd', size: 512 }), rawHeader({ name: 'next' }));
    expect(readTar(archive).map(({ path }) => path)).toEqual(['d', 'next']);
  });

  test('what follows two blocks of zeros is ignored, their absence is no error', () => {
    const member = rawMember({}, 'abc');
    expect(readTar(Buffer.concat([rawTar(member), Buffer.from('garbage')]))).toHaveLength(1);
    expect(readTar(member)).toHaveLength(1);
    // The padding of the last member may be missing, as for Go.
    expect(readTar(member.subarray(0, 515))).toHaveLength(1);
    expect(readTar(new Uint8Array())).toHaveLength(0);
  });

  test('a signed checksum is taken', () => {
    const block = rawHeader({ name: Buffer.from([0xe9, 0xe9]) });
    const sum = block.reduce((total, byte, at) => {
      if (at >= 148 && at < 156) return total + 0x20;
      return total + (byte >= 0x80 ? byte - 256 : byte);
    }, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    expect(readTar(rawTar(block))[0]?.path).toBe('\udce9\udce9');
  });

  test('offset counts every byte; a visitor without data() skips content', () => {
    const archive = rawTar(rawMember({}, 'x'.repeat(5000)));
    let entries = 0;
    const reader = new TarReader({ entry: () => void entries++ });
    reader.write(archive);
    reader.finish();
    expect([entries, reader.offset]).toEqual([1, archive.length]);
  });

  test('what the visitor throws comes out of write()', () => {
    const reader = new TarReader({
      entry: () => {
        throw new RangeError('mine');
      },
    });
    expect(() => reader.write(rawTar(rawHeader({})))).toThrow('mine');
  });
});

describe('TarReader refuses', () => {
  test.each([
    ['a path out of the tree', rawHeader({ name: '../../etc/passwd' })],
    ['a path that leaves and comes back', rawHeader({ name: 'a/../../b' })],
    ['a root that is no directory', rawHeader({ name: './' })],
    ['an empty name for a file', rawHeader({ name: '' })],
    ['a hard link out of the tree', rawHeader({ type: '1', link: '../../etc/shadow' })],
    ['a hard link to the root', rawHeader({ type: '1', link: '/' })],
    ['a symbolic link to nothing', rawHeader({ type: '2' })],
    ['a size of 2^63', rawHeader({ size: Buffer.from('800000008000000000000000', 'hex') })],
    ['a size of 2^95', rawHeader({ size: Buffer.concat([Buffer.from([0x80, 0xff]), Buffer.alloc(10)]) })],
    ['a negative size', rawHeader({ size: Buffer.alloc(12, 0xff) })],
    ['a negative size in pax', Buffer.concat([paxMember([['size', '-1']]), rawHeader({})])],
    [
      'a size beyond doubles in pax',
      Buffer.concat([paxMember([['size', '9223372036854775807']]), rawHeader({})]),
    ],
    ['a size that is no octal number', rawHeader({ size: '99999999999' })],
    ['an owner beyond 32 bits', Buffer.concat([paxMember([['uid', '4294967296']]), rawHeader({})])],
    ['the owner that means none', Buffer.concat([paxMember([['gid', '4294967295']]), rawHeader({})])],
    ['a pax time that is none', Buffer.concat([paxMember([['mtime', 'now']]), rawHeader({})])],
    ['a NUL in a pax path', Buffer.concat([paxMember([['path', 'a\0b']]), rawHeader({})])],
    ['a NUL in a pax key', rawMember({ type: 'x' }, '9 a\0b=c\n\0'.slice(0, 9))],
    ['a pax record longer than its header', rawMember({ type: 'x' }, '99 path=a\n')],
    ['a pax record shorter than it says', rawMember({ type: 'x' }, '5 path=abc\n')],
    ['a pax record of length 0', rawMember({ type: 'x' }, '0 path=abc\n')],
    ['a pax record without length', rawMember({ type: 'x' }, 'path=abc\n')],
    ['a pax record without a value', rawMember({ type: 'x' }, '7 path\n')],
    ['a pax record with an empty key', rawMember({ type: 'x' }, '5 =a\n')],
    ['a huge pax header', rawHeader({ type: 'x', size: (1 << 20) + 1 })],
    ['a huge long name', rawHeader({ type: 'L', size: (1 << 20) + 1 })],
    [
      'a path longer than PATH_MAX',
      Buffer.concat([paxMember([['path', 'abc/'.repeat(1025)]]), rawHeader({})]),
    ],
    [
      'a component longer than NAME_MAX',
      Buffer.concat([paxMember([['path', `a/${'ł'.repeat(128)}`]]), rawHeader({})]),
    ],
    [
      'a huge xattr',
      Buffer.concat([paxMember([['SCHILY.xattr.user.a', 'x'.repeat(65_537)]]), rawHeader({})]),
    ],
    ['an xattr without a name', Buffer.concat([paxMember([['SCHILY.xattr.', 'x']]), rawHeader({})])],
    ['a damaged xattr name', Buffer.concat([paxMember([['LIBARCHIVE.xattr.%zz', 'AQ==']]), rawHeader({})])],
    [
      'more names of xattrs than a kernel lists',
      Buffer.concat([
        paxMember(
          Array.from({ length: 7000 }, (_, i) => [`SCHILY.xattr.user.${String(i).padStart(5, '0')}`, '']),
        ),
        rawHeader({}),
      ]),
    ],
    ['an unknown type', rawHeader({ type: 'Z' })],
    ['a multi-volume archive', rawHeader({ type: 'M' })],
    ['a device number out of range', rawHeader({ type: '3', devMajor: '7777777' })],
    ['data after one block of zeros', Buffer.concat([Buffer.alloc(512), rawHeader({})])],
  ])('%s', (_, parts) => {
    hostile(rawTar(parts));
  });

  test.each([
    ['overlapping', '0,2,1,2', '4'],
    ['leaving the file', '0,2,9,2', '10'],
    ['leaving data unnamed', '0,1', '10'],
    ['odd', '0,1,2', '10'],
    ['no numbers', 'a,b', '10'],
    ['without a size', '0,4', ''],
  ])('a sparse map: %s', (_, map, size) => {
    const records: [string, string][] = [
      ['GNU.sparse.major', '0'],
      ['GNU.sparse.minor', '1'],
      ['GNU.sparse.map', map],
    ];
    if (size !== '') records.push(['GNU.sparse.size', size]);
    hostile(rawTar(paxMember(records), rawMember({}, 'abcd')));
  });

  test('a sparse 1.0 map that fills the member, or has no numbers, or too many', () => {
    const sparse: [string, string][] = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.realsize', '10'],
    ];
    hostile(rawTar(paxMember(sparse), rawMember({}, '2\n0\n')));
    hostile(rawTar(paxMember(sparse), rawMember({}, 'x'.repeat(512))));
    hostile(rawTar(paxMember(sparse), rawMember({}, `${'9'.repeat(15)}\n`)));
  });

  test('a damaged header, with a hint that this is no archive', () => {
    expect(hostile(Buffer.alloc(1024, 'not a tar archive at all '))).toContain('checksum');
  });

  test('more members than allowed, and names the one', () => {
    const archive = rawTar(
      rawHeader({ name: 'one' }),
      rawHeader({ name: 'two' }),
      rawHeader({ name: 'three' }),
    );
    const { message } = refusal(() => readTar(archive, { limits: { entries: 2 } }));
    expect(message).toContain('"three"');
  });

  test('xattrs without end: those that differ are counted, those that come again are not', () => {
    const members = (value: (i: number) => string) =>
      rawTar(
        ...Array.from({ length: 40 }, (_, i) => [
          paxMember([['SCHILY.xattr.user.a', value(i)]]),
          rawHeader({ name: `f${i}` }),
        ]).flat(),
      );
    const limits = { allXattrBytes: 20_000 };
    expect(
      readTar(
        members(() => 'same'),
        { limits },
      ),
    ).toHaveLength(40);
    const { message } = refusal(() => readTar(members(String), { limits }));
    expect(message).toContain('extended attributes of the archive are larger than 20000 bytes');
  });

  test.each([
    ['in a header', rawHeader({}).subarray(0, 100)],
    ['in content', rawMember({ name: 'cut' }, 'x'.repeat(600)).subarray(0, 700)],
    ['in a pax header', paxMember([['path', 'x']]).subarray(0, 515)],
    ['after a pax header', paxMember([['path', 'x']])],
    ['after a long name', rawMember({ type: 'L' }, 'name')],
  ])('an archive cut short %s', (_, archive) => {
    const { kind, code } = refusal(() => readTar(archive));
    expect({ kind, code }).toEqual({ kind: 'invalid', code: 'archive-truncated' });
  });

  test('and names the member that is cut', () => {
    const archive = rawMember({ name: 'some/file' }, 'x'.repeat(600)).subarray(0, 700);
    expect(refusal(() => readTar(archive)).message).toBe(
      'Cannot read archive: member "some/file": unexpected end of archive',
    );
  });
});
