import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TarMember, TarSource } from './tar-writer.ts';
import { TarWriter, writeTar } from './tar-writer.ts';
import { readTar } from './testing/read-tar.ts';

async function written(members: TarSource[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(members)) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

const member = (path: string, more: Partial<TarMember> = {}): TarMember => ({
  path,
  type: 'file',
  mode: 0o644,
  size: 0,
  ...more,
});

const samples: TarSource[] = [
  { entry: member('', { type: 'directory', mode: 0o755, mtimeSeconds: 5 }) },
  {
    entry: member('plain', { size: 3, uid: 1, gid: 2, mtimeSeconds: 1_700_000_000 }),
    data: [Buffer.from('abc')],
  },
  {
    entry: member('big', {
      mode: 0o6755,
      uid: 3_000_000,
      gid: 4_000_000_000,
      mtimeSeconds: -2,
      mtimeNanoseconds: 500_000_000,
    }),
  },
  { entry: member(`${'p'.repeat(80)}/${'q'.repeat(90)}`) },
  { entry: member(`x/${'r'.repeat(150)}`) },
  { entry: member('ünï', { type: 'symlink', mode: 0o777, linkTarget: 't'.repeat(150) }) },
  { entry: member('bad\udcff', { type: 'hardlink', linkTarget: 'plain' }) },
  { entry: member('dev', { type: 'char', deviceMajor: 10, deviceMinor: 229 }) },
  {
    entry: member('caps', {
      xattrs: new Map([
        ['security.capability', new Uint8Array([1, 0, 10, 0])],
        ['user.a=b', new Uint8Array([7])],
      ]),
    }),
  },
];

describe('writeTar()', () => {
  test('what it writes, the reader gives back', async () => {
    const members = readTar(await written(samples));
    expect(members).toMatchObject(samples.map(({ entry }) => entry) as object[]);
    expect(members[1]?.content.toString()).toBe('abc');
  });

  test('GNU tar and Python agree', async () => {
    const base = mkdtempSync(join(tmpdir(), 'sampan-tar-'));
    try {
      const path = join(base, 'made.tar');
      writeFileSync(path, await written(samples));
      const list = Bun.spawnSync([
        'tar',
        '--numeric-owner',
        '--utc',
        '--warning=no-unknown-keyword',
        '-tvf',
        path,
      ]);
      expect(list.exitCode).toBe(0);
      const lines = list.stdout.toString('latin1').trimEnd().split('\n');
      expect(lines[2]).toMatch(/^-rwsr-sr-x 3000000\/4000000000 +0 1969-12-31 23:59 big$/);
      expect(lines[4]).toEndWith(`x/${'r'.repeat(150)}`);
      expect(lines[6]).toEndWith('bad\\377 link to plain');
      expect(lines[7]).toMatch(/^crw-r--r-- 0\/0 +10,229 /);
      const script = `
import tarfile, sys
for m in tarfile.open(sys.argv[1], errors='surrogateescape'): print(ascii(m.name), m.mode, m.uid, m.gid, m.mtime, m.size, m.type)`;
      const python = Bun.spawnSync(['python3', '-c', script, path]).stdout.toString().split('\n');
      expect(python[2]).toBe("'big' 3565 3000000 4000000000 -1.5 0 b'0'");
      expect(python[6]).toBe("'bad\\udcff' 420 0 0 0 0 b'1'");
    } finally {
      rmSync(base, { recursive: true });
    }
  });

  test('the same members give the same bytes, and plain ones need no pax', async () => {
    const plain = samples.slice(0, 2);
    const bytes = await written(plain);
    expect(bytes.equals(await written(plain))).toBe(true);
    // Two headers, one block of content, two of zeros.
    expect(bytes).toHaveLength(5 * 512);
  });

  test.each([
    ['short', [Buffer.from('ab')]],
    ['long', [Buffer.from('ab'), Buffer.from('cd')]],
  ])('refuses content that is too %s', async (_, data) => {
    const refused = written([{ entry: member('x', { size: 3 }), data }]).then(
      () => 'taken',
      (error: unknown) => String(error),
    );
    expect(await refused).toContain('size');
  });
});

describe('TarWriter', () => {
  test.each([
    ['a socket', member('s', { type: 'socket' })],
    ['a NUL in a path', member('a\0b')],
    ['a NUL in a target', member('a', { type: 'symlink', linkTarget: 'b\0' })],
    ['a surrogate that is no escaped byte', member('a\ud800')],
  ])('refuses %s', (_, entry) => {
    expect(() => new TarWriter().header(entry)).toThrow(/Cannot (write archive|encode path)/);
  });

  test('lengths of pax records count themselves, at every size', () => {
    for (let length = 60; length < 1100; length++) {
      const path = 'é'.repeat(50).padEnd(length, '/ab');
      const archive = Buffer.concat([new TarWriter().header(member(path)), Buffer.alloc(1024)]);
      expect(readTar(archive)[0]?.path).toBe(path.replace(/\/$/, ''));
    }
  });
});
