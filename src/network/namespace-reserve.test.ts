import { afterEach, expect, test } from 'bun:test';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { NamespaceReserve } from './namespace-reserve.ts';

const made: number[] = [];
const make = () => {
  const fd = openSync('/dev/null', 'r');
  made.push(fd);
  return fd;
};
const isOpen = (fd: number) => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};
const open = () => made.filter(isOpen).length;
afterEach(() => {
  for (const fd of made.splice(0)) if (isOpen(fd)) closeSync(fd);
});

/** However busy the machine is. */
async function becomes(value: () => number, wanted: number): Promise<void> {
  for (let tries = 0; tries < 1000 && value() !== wanted; tries++) await Bun.sleep(5);
  expect(value()).toBe(wanted);
}

test('the least is made once there is nothing to do, the most once one was asked for, and the rest goes again', async () => {
  const reserve = new NamespaceReserve({ make, least: 2, most: 4, pauseMs: 1, idleMs: 1000 });
  reserve.worked();
  expect(reserve.size).toBe(0);
  await becomes(() => reserve.size, 2);
  const [first] = made;
  expect(reserve.take()).toEqual({ fd: first as number, wasReady: true });
  reserve.worked();
  await becomes(() => reserve.size, 4);
  await becomes(() => reserve.size, 2);
  expect(open()).toBe(3);
  reserve.close();
  expect([reserve.size, open()]).toEqual([0, 1]);
  reserve.worked();
  await Bun.sleep(5);
  expect(reserve.size).toBe(0);
});

test('work puts the next one off; one that is asked for in vain is made at once', async () => {
  const reserve = new NamespaceReserve({ make, least: 1, pauseMs: 5000 });
  for (let times = 0; times < 10; times++) {
    reserve.worked();
    await Bun.sleep(5);
  }
  expect(made).toHaveLength(0);
  expect(reserve.take()).toEqual({ fd: made[0] as number, wasReady: false });
  expect(made).toHaveLength(1);
  reserve.close();
});

test('what cannot be made ahead is told to who needs it', async () => {
  const reserve = new NamespaceReserve({
    make: () => {
      throw new Error('no space left on device');
    },
    pauseMs: 1,
  });
  reserve.worked();
  await Bun.sleep(10);
  expect(reserve.size).toBe(0);
  expect(() => reserve.take()).toThrow('no space left');
  reserve.close();
});
