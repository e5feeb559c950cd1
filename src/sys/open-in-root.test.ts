import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cString, libc } from './libc.ts';
import { readFileInLiveRoot } from './open-in-root.ts';

const base = mkdtempSync(join(tmpdir(), 'sampan-live-root-'));
const root = join(base, 'root');
mkdirSync(join(root, 'etc/folder'), { recursive: true });
writeFileSync(join(base, 'secret'), 'secret');
writeFileSync(join(root, 'etc/passwd'), 'inside');
writeFileSync(join(root, 'secret'), 'decoy');
afterAll(() => rmSync(base, { recursive: true, force: true }));

const read = (path: string, maxBytes = 100) => readFileInLiveRoot(root, path, maxBytes);

test('a file is read, at most so much of it', () => {
  expect(read('/etc/passwd')).toBe('inside');
  expect(read('etc/passwd', 3)).toBe('ins');
  expect(readFileInLiveRoot('/proc', 'self/comm', 10)).toBe('');
});

test('links and dots lead around inside the root, never out of it', () => {
  symlinkSync('/secret', join(root, 'absolute'));
  symlinkSync('../../../../secret', join(root, 'etc/relative'));
  symlinkSync('..', join(root, 'etc/up'));
  for (const path of ['absolute', 'etc/relative', 'etc/up/../../secret', '../../secret'])
    expect(read(path), path).toBe('decoy');
});

test('what is absent, a folder, a loop or no file at all is undefined, and is not opened', () => {
  symlinkSync('loop', join(root, 'loop'));
  const fifo = cString(join(root, 'fifo'));
  libc.mkfifo(fifo, 0o600);
  for (const path of ['nosuch', 'etc/folder', 'etc/passwd/x', 'loop', 'fifo'])
    expect(read(path), path).toBeUndefined();
});

test('links of the kernel (/proc/<pid>/root) are not followed', () => {
  expect(readFileInLiveRoot('/proc', `${process.pid}/root/etc/passwd`, 100)).toBeUndefined();
});
