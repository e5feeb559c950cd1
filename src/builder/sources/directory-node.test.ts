import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileNode } from './file-node.ts';
import { OpenPlaces } from './open-file-place.ts';

let root: string;
let outside: string;
let places: OpenPlaces;

beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'directory-node-'));
  [root, outside] = [join(base, 'context'), join(base, 'outside')];
  for (const directory of [root, join(root, 'd'), outside]) mkdirSync(directory);
  writeFileSync(join(root, 'd', 'file'), 'inside');
  writeFileSync(join(outside, 'file'), 'secret');
  places = new OpenPlaces({ created: 0 });
});

afterEach(() => {
  places.close();
  rmSync(join(root, '..'), { recursive: true, force: true });
});

function open(): FileNode {
  return places.open({ kind: 'directory', path: root });
}

function read(node: FileNode | undefined): string {
  if (node === undefined) throw new Error('nothing is there');
  const content = node.open();
  const bytes = Buffer.alloc(100);
  const length = content.read(bytes, 0, 100, 0);
  content.close();
  return bytes.toString('utf8', 0, length);
}

const changed = 'Cannot read "/d/file": it changed while it was read';

describe('DirectoryNode', () => {
  test('open() reads what was looked at', () => {
    expect(read(open().child('d')?.child('file'))).toBe('inside');
  });

  test('open() refuses a link that took the place of the file', () => {
    const file = open().child('d')?.child('file');
    rmSync(join(root, 'd', 'file'));
    symlinkSync(join(outside, 'file'), join(root, 'd', 'file'));
    expect(() => read(file)).toThrow(changed);
  });

  test('open() refuses a link that took the place of a directory on the way', () => {
    const file = open().child('d')?.child('file');
    renameSync(join(root, 'd'), join(root, 'e'));
    symlinkSync(outside, join(root, 'd'));
    expect(() => read(file)).toThrow(changed);
  });

  test('open() refuses a pipe in the place of the file, without waiting for a writer', () => {
    const file = open().child('d')?.child('file');
    rmSync(join(root, 'd', 'file'));
    execFileSync('mkfifo', [join(root, 'd', 'file')]);
    expect(() => read(file)).toThrow(changed);
  });

  test('open() refuses a file that was cut, replaced or removed', () => {
    const cut = open().child('d')?.child('file');
    truncateSync(join(root, 'd', 'file'), 2);
    expect(() => read(cut)).toThrow(changed);
    const removed = open().child('d')?.child('file');
    rmSync(join(root, 'd', 'file'));
    expect(() => read(removed)).toThrow(changed);
  });

  test('names() and child() never follow a link, and know what it is', () => {
    symlinkSync(outside, join(root, 'out'));
    const link = open().child('out');
    expect(link?.type).toBe('symlink');
    expect(link?.names()).toEqual([]);
    expect(link?.child('file')).toBeUndefined();
    expect(link?.attributes().linkTarget).toBe(outside);
  });

  test('names() has names of any bytes, in their order', () => {
    const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x41])]);
    writeFileSync(odd, 'x');
    writeFileSync(join(root, 'n'.repeat(255)), 'y');
    writeFileSync(join(root, 'ü'), 'z');
    const node = open();
    expect(node.names()).toEqual(['d', 'n'.repeat(255), 'ü', '\udcffA']);
    expect(read(node.child('\udcffA'))).toBe('x');
  });

  test('a socket is no file', async () => {
    const server = createServer().listen(join(root, 's'));
    await new Promise((resolve) => server.once('listening', resolve));
    expect(open().child('s')?.type).toBe('socket');
    server.close();
  });

  test('a directory that is a link is refused as a root', () => {
    symlinkSync(outside, join(root, 'out'));
    expect(() => places.open({ kind: 'directory', path: join(root, 'out') })).toThrow('No such directory');
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('secret');
  });
});
