import { afterAll, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachLoop } from './loop-device.ts';

const base = mkdtempSync(join(tmpdir(), 'sampan-loop-'));
afterAll(() => rmSync(base, { recursive: true }));

function backingOf(device: string): string | undefined {
  const path = `/sys/block/${device.slice('/dev/'.length)}/loop/backing_file`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

test('attachLoop() gives devices of their own, which go when they are let go', async () => {
  const file = join(base, 'file');
  writeFileSync(file, Buffer.alloc(8192, 'a'));
  const devices = Array.from({ length: 3 }, () => attachLoop(file, { readonly: true }));
  expect(new Set(devices.map(({ path }) => path)).size).toBe(3);
  for (const { path } of devices) {
    expect(backingOf(path)).toBe(file);
    expect(readFileSync(path).equals(readFileSync(file))).toBe(true);
  }
  for (const device of devices) device[Symbol.dispose]();
  for (let tries = 0; tries < 100 && devices.some(({ path }) => backingOf(path) === file); tries++)
    await Bun.sleep(20);
  expect(devices.map(({ path }) => backingOf(path) === file)).toEqual([false, false, false]);
});

test('attachLoop() writes through, and not where it is read-only', () => {
  const file = join(base, 'written');
  writeFileSync(file, Buffer.alloc(4096));
  {
    using device = attachLoop(file, { readonly: true });
    expect(() => writeFileSync(device.path, 'x', { flag: 'r+' })).toThrow();
  }
  {
    using device = attachLoop(file);
    writeFileSync(device.path, Buffer.alloc(4096, 'b'), { flag: 'r+', flush: true });
  }
  expect(readFileSync(file, 'utf8')).toBe('b'.repeat(4096));
  expect(() => attachLoop(join(base, 'absent'))).toThrow('ENOENT');
});
