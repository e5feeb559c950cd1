import { expect, test } from 'bun:test';
import { parseCidr } from '../sys/ip.ts';
import { addressPools } from './address-pools.ts';

test('pools come from the file, or from flags', () => {
  const pool = { base: parseCidr('10.10.0.0/16'), prefixLength: 24 };
  expect(addressPools([{ base: '10.10.0.0/16', size: 24 }], [])).toEqual([pool]);
  expect(addressPools(undefined, ['base=10.10.3.0/16,size=24'])).toEqual([pool]);
  expect(addressPools(undefined, [])).toBeUndefined();
});

test.each([
  [{ base: 'x', size: 24 }],
  [{ base: '10.0.0.0/16', size: 8 }],
  [{ base: '10.0.0.0/16', size: 33 }],
  [{ base: '10.0.0.0/16' }],
  [null],
])('%p is refused', (pool) =>
  expect(() => addressPools([pool], [])).toThrow('Invalid default-address-pools'),
);
