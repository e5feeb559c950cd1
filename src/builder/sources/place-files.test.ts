import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlaceFiles } from './place-files.ts';

let root: string;
let files: PlaceFiles;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'place-files-'));
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/a.hcl'), 'content');
  writeFileSync(join(root, 'd/b.txt'), '');
  symlinkSync('/d/a.hcl', join(root, 'link'));
  symlinkSync('/etc/hostname', join(root, 'out'));
  symlinkSync('loop', join(root, 'loop'));
  writeFileSync(join(root, 'large'), '');
  truncateSync(join(root, 'large'), 1 << 30);
  files = new PlaceFiles({ kind: 'directory', path: root });
});
afterAll(() => {
  files.close();
  rmSync(root, { recursive: true, force: true });
});

const all = { offset: 0, length: undefined };
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test('links are followed, and lead nowhere else', () => {
  expect(text(files.read('link', all))).toBe('content');
  expect(files.stat('/link')).toMatchObject({ name: 'a.hcl', attributes: { type: 'file', size: 7 } });
  expect(() => files.read('out', all)).toThrow('open out: no such file or directory');
  expect(() => files.stat('../../etc/hostname')).toThrow(
    'stat ../../etc/hostname: no such file or directory',
  );
  expect(() => files.read('loop', all)).toThrow('too many links');
});

test('a part of a file, as far as there is one', () => {
  expect(text(files.read('d/a.hcl', { offset: 2, length: 3 }))).toBe('nte');
  expect(text(files.read('d/a.hcl', { offset: 2, length: 1000 }))).toBe('ntent');
  expect(text(files.read('d/a.hcl', { offset: 100, length: 1 }))).toBe('');
  expect(() => files.read('d', all)).toThrow('d is not a regular file');
  expect(() => files.read('large', all)).toThrow('more than 8388608 bytes');
  expect(files.read('large', { offset: 1 << 29, length: 10 })).toEqual(new Uint8Array(10));
});

test('a directory, and of it what fits', () => {
  const names = (path: string, include: string): string[] =>
    files.list(path, include).map(({ name }) => name);
  expect(names('d', '')).toEqual(['a.hcl', 'b.txt']);
  expect(names('/d/', '*.hcl')).toEqual(['a.hcl']);
  expect(files.list('/', '').find(({ name }) => name === 'link')?.attributes.type).toBe('symlink');
  expect(() => files.list('d/a.hcl', '')).toThrow('d/a.hcl is not a directory');
});

test('a file by another name', () => {
  const renamed = new PlaceFiles(
    { kind: 'directory', path: join(root, 'd') },
    { as: 'Dockerfile', name: 'a.hcl' },
  );
  try {
    expect(text(renamed.read('/Dockerfile', all))).toBe('content');
    expect(renamed.stat('Dockerfile').name).toBe('Dockerfile');
  } finally {
    renamed.close();
  }
});
