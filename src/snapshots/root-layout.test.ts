import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layOutRoot, ROOT_LAYOUT } from './root-layout.ts';

// Expected: what Docker 28.5 makes of such images, imported and run there.
let base: string;
let root: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-layout-'));
  root = join(base, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const at = (path: string) => join(root, path);
const kindOf = (path: string) => {
  const stat = lstatSync(at(path));
  return stat.isSymbolicLink() ? readlinkSync(at(path)) : stat.isDirectory() ? 'directory' : 'file';
};

function expectWhole(): void {
  expect(ROOT_LAYOUT.map(([path]) => [path, kindOf(path)])).toEqual([
    ['proc', 'directory'],
    ['sys', 'directory'],
    ['dev', 'directory'],
    ['dev/console', 'file'],
    ['dev/pts', 'directory'],
    ['dev/shm', 'directory'],
    ['etc', 'directory'],
    ['etc/hosts', 'file'],
    ['etc/hostname', 'file'],
    ['etc/resolv.conf', 'file'],
    ['etc/mtab', '/proc/mounts'],
    ['.dockerenv', 'file'],
  ]);
  expect(readdirSync(base)).toEqual(['root']);
}

test('an empty root gets all of it, again without a change', () => {
  layOutRoot(root);
  expectWhole();
  expect(statSync(at('.dockerenv')).mode & 0o7777).toBe(0o755);
  const before = ROOT_LAYOUT.map(([path]) => lstatSync(at(path)).ino);
  layOutRoot(root);
  expect(ROOT_LAYOUT.map(([path]) => lstatSync(at(path)).ino)).toEqual(before);
});

const targets = ['/nowhere/there', '../../../outside', 'a/b', '/tmp', '.', '/etc/hosts'];
for (const target of targets)
  test(`links to ${target} are replaced, nothing is made where they lead`, () => {
    for (const path of ['proc', 'sys', 'dev', 'etc', '.dockerenv']) symlinkSync(target, at(path));
    layOutRoot(root);
    expectWhole();
    for (const path of ['etc/hosts', 'etc/hostname', 'etc/resolv.conf', 'etc/mtab']) {
      rmSync(at(path));
      symlinkSync(target, at(path));
    }
    layOutRoot(root);
    expectWhole();
    expect(existsSync(at('nowhere'))).toBe(false);
  });

test('files in the place of directories are replaced, files to mount on stay', () => {
  for (const path of ['proc', 'etc', '.dockerenv']) writeFileSync(at(path), 'x');
  layOutRoot(root);
  expectWhole();
  expect(readFileSync(at('.dockerenv'), 'utf8')).toBe('');
  writeFileSync(at('etc/hosts'), 'mine');
  layOutRoot(root);
  expect(readFileSync(at('etc/hosts'), 'utf8')).toBe('mine');
});

test('a directory stays where a file belongs', () => {
  mkdirSync(at('.dockerenv'));
  mkdirSync(at('etc/hosts'), { recursive: true });
  layOutRoot(root);
  expect([kindOf('.dockerenv'), kindOf('etc/hosts')]).toEqual(['directory', 'directory']);
});
