import { expect, test } from 'bun:test';
import { readFileSync, readSync, writeSync } from 'node:fs';
import { closeFd, duplicateFd, openPipe, openSocketPair } from './pipe.ts';

test('what is written to a pipe can be read, also by a second number', () => {
  const { first, second } = openPipe();
  const copy = duplicateFd(second);
  closeFd(second);
  writeSync(copy, 'hello');
  closeFd(copy);
  const buffer = Buffer.alloc(10);
  expect(readSync(first, buffer)).toBe(5);
  expect(readSync(first, buffer)).toBe(0);
  closeFd(first);
});

test('everything closes on exec', () => {
  const pairs = [openPipe(), openSocketPair()];
  const fds = pairs.flatMap(({ first, second }) => [first, second]);
  const all = [...fds, duplicateFd(fds[0]!)];
  for (const fd of all) {
    const flags = Number.parseInt(
      /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!,
      8,
    );
    expect(flags & 0o2000000).toBe(0o2000000);
    closeFd(fd);
  }
});
