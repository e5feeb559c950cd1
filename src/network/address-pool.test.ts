import { expect, test } from 'bun:test';
import { parseCidr } from '../sys/ip.ts';
import { AddressPool, macAddressOf } from './address-pool.ts';

function pool(subnet: string, gateway: string, range = subnet): AddressPool {
  const made = new AddressPool(parseCidr(subnet), parseCidr(range));
  expect(made.take(gateway)).toBe(true);
  return made;
}

test('addresses start behind the gateway and rise; a released one is next', () => {
  const addresses = pool('172.17.0.0/16', '172.17.0.1');
  expect([addresses.allocate(), addresses.allocate(), addresses.allocate()]).toEqual([
    '172.17.0.2',
    '172.17.0.3',
    '172.17.0.4',
  ]);
  addresses.release('172.17.0.3');
  expect([addresses.allocate(), addresses.allocate()]).toEqual(['172.17.0.3', '172.17.0.5']);
});

test('a pool ends before the broadcast address, and goes on after a release', () => {
  const addresses = pool('10.1.2.4/30', '10.1.2.5');
  expect([addresses.allocate(), addresses.allocate()]).toEqual(['10.1.2.6', undefined]);
  addresses.release('10.1.2.6');
  expect(addresses.allocate()).toBe('10.1.2.6');
});

test('a gateway in the middle is left out', () => {
  const addresses = pool('10.1.2.0/29', '10.1.2.3');
  const all = Array.from({ length: 6 }, () => addresses.allocate());
  expect(all).toEqual(['10.1.2.1', '10.1.2.2', '10.1.2.4', '10.1.2.5', '10.1.2.6', undefined]);
});

test('adopted addresses are taken, those of other subnets don’t matter', () => {
  const addresses = pool('10.1.2.0/29', '10.1.2.1');
  addresses.adopt('10.1.2.2');
  addresses.adopt('192.168.0.2');
  addresses.adopt('nonsense');
  expect(addresses.allocate()).toBe('10.1.2.3');
});

test('network and broadcast stay taken whatever is released or asked for', () => {
  const addresses = pool('10.1.2.4/30', '10.1.2.5');
  for (const address of ['10.1.2.4', '10.1.2.7', '10.9.9.9']) addresses.release(address);
  expect(['10.1.2.4', '10.1.2.7', '10.9.9.9', 'x'].map((address) => addresses.take(address))).toEqual(
    Array(4).fill(false),
  );
  expect([addresses.allocate(), addresses.allocate()]).toEqual(['10.1.2.6', undefined]);
});

test('an address that was asked for is given once, also outside the range', () => {
  const addresses = pool('10.1.2.0/24', '10.1.2.1', '10.1.2.128/25');
  expect(addresses.take('10.1.2.9')).toBe(true);
  expect(addresses.take('10.1.2.9')).toBe(false);
  addresses.release('10.1.2.9');
  expect(addresses.allocate()).toBe('10.1.2.128');
  expect(addresses.take('10.1.2.9')).toBe(true);
});

test('IPv6 leaves the address of the routers out', () => {
  const addresses = pool('fd00:1::/64', 'fd00:1::1');
  expect(addresses.take('fd00:1::')).toBe(false);
  expect([addresses.allocate(), addresses.allocate()]).toEqual(['fd00:1::2', 'fd00:1::3']);
  expect(addresses.take('fd00:1:0:0::3')).toBe(false);
});

test('a MAC address bears its IP', () => {
  expect(macAddressOf('172.17.0.2')).toBe('02:42:ac:11:00:02');
});
