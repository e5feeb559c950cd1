import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { withoutCapability } from './capabilities.ts';

/** One that whoever makes namespaces has. */
const SYS_ADMIN = 21;
const BIT = 1n << BigInt(SYS_ADMIN);

/** Of this thread: `self` would be the main one's. */
function effective(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'));
  return BigInt(`0x${line?.[1]}`);
}

test('withoutCapability() takes one capability from the thread while the work runs, also when it fails', () => {
  const before = effective();
  expect(before & BIT).toBe(BIT);
  expect(withoutCapability(SYS_ADMIN, effective)).toBe(before & ~BIT);
  expect(effective()).toBe(before);
  expect(() =>
    withoutCapability(SYS_ADMIN, () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(effective()).toBe(before);
});
