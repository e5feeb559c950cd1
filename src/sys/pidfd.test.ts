import { expect, test } from 'bun:test';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { Pidfd } from './pidfd.ts';

const [major = 0, minor = 0] = release().split('.').map(Number);
const tellsExits = major > 6 || (major === 6 && minor >= 15);

test('exited() resolves when the process ends, and not before', async () => {
  const child = Bun.spawn(['sleep', '0.3']);
  const pidfd = Pidfd.open(child.pid)!;
  const started = performance.now();
  expect(pidfd.exitCode()).toBeUndefined();
  await pidfd.exited();
  expect(performance.now() - started).toBeGreaterThan(150);
  await child.exited;
  pidfd.close();
});

test.skipIf(!tellsExits)('exitCode() of a process that has been reaped', async () => {
  for (const [command, code] of [
    ['exit 7', 7],
    ['kill -9 $$', 137],
    ['true', 0],
  ] as const) {
    const child = Bun.spawn(['sh', '-c', `sleep 0.05; ${command}`]);
    const pidfd = Pidfd.open(child.pid)!;
    await child.exited;
    expect(pidfd.exitCode()).toBe(code);
    pidfd.close();
  }
});

test('signal() reaches the process, and says when it is gone', async () => {
  const child = Bun.spawn(['sleep', '60']);
  const pidfd = Pidfd.open(child.pid)!;
  expect(pidfd.signal(0)).toBe(true);
  expect(pidfd.signal(15)).toBe(true);
  await child.exited;
  expect(pidfd.signal(15)).toBe(false);
  pidfd.close();
  pidfd.close();
  expect(pidfd.signal(15)).toBe(false);
});

test('open() of no process', () => {
  expect(Pidfd.open(Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')) - 1)).toBeUndefined();
});

test('a thousand watches leave no fd behind', async () => {
  // Of this kind alone: other tests' files come and go in this process.
  const open = () => readdirSync('/proc/self/fd').filter(isPidfd).length;
  const before = open();
  for (let round = 0; round < 20; round++) {
    const child = Bun.spawn(['true']);
    const pidfd = Pidfd.open(child.pid)!;
    await Promise.all(Array.from({ length: 50 }, () => pidfd.exited()));
    await child.exited;
    pidfd.close();
  }
  for (let tries = 0; tries < 100 && open() > before; tries++) await Bun.sleep(20);
  expect(open()).toBeLessThanOrEqual(before);
});

function isPidfd(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).includes('pidfd');
  } catch {
    return false;
  }
}
