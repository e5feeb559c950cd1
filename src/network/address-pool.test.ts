import { expect, test } from 'bun:test';
import { AddressPool, chooseSubnet, macAddressOf } from './address-pool.ts';
import { formatCidr, overlaps, parseCidr, parseIpv4 } from './ipv4.ts';

const pool = (subnet: string, gateway: string) => new AddressPool(parseCidr(subnet), parseIpv4(gateway)!);

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

test('network, broadcast and gateway stay taken whatever is released', () => {
  const addresses = pool('10.1.2.4/30', '10.1.2.5');
  for (const address of ['10.1.2.4', '10.1.2.5', '10.1.2.7', '10.9.9.9']) addresses.release(address);
  expect([addresses.allocate(), addresses.allocate()]).toEqual(['10.1.2.6', undefined]);
});

test('chooseSubnet() goes through the default pools in order', () => {
  const used = ['172.17.0.0/16', '172.18.4.0/24'].map(parseCidr);
  expect(formatCidr(chooseSubnet((candidate) => !used.some((one) => overlaps(one, candidate))))).toBe(
    '172.19.0.0/16',
  );
  const all = parseCidr('172.16.0.0/12');
  expect(formatCidr(chooseSubnet((candidate) => !overlaps(all, candidate)))).toBe('192.168.0.0/20');
  expect(() => chooseSubnet(() => false)).toThrow('all predefined address pools have been fully subnetted');
});

test('a MAC address bears its IP', () => {
  expect(macAddressOf('172.17.0.2')).toBe('02:42:ac:11:00:02');
});
