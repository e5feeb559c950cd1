import { expect, test } from 'bun:test';
import { ownedCapability, plainCapability } from './file-capability.ts';

/** As setcap(8) writes cap_net_raw+ep on the host, and in a namespace whose root is 100000. */
const plain = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const owned = Buffer.from('0100000300200000000000000000000000000000a0860100', 'hex');

test('a capability goes into a namespace and out again', () => {
  expect(Buffer.from(ownedCapability(plain, 100_000))).toEqual(owned);
  expect(Buffer.from(plainCapability(owned, 100_000))).toEqual(plain);
});

test('what is another namespace’s, or no capability, stays', () => {
  expect(plainCapability(owned, 200_000)).toBe(owned);
  expect(ownedCapability(owned, 200_000)).toBe(owned);
  for (const odd of [new Uint8Array(), new Uint8Array(20), plain.subarray(0, 12)])
    expect([ownedCapability(odd, 1), plainCapability(odd, 1)]).toEqual([odd, odd]);
});
