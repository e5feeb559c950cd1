import { expect, test } from 'bun:test';
import {
  canonicalIp,
  contains,
  formatCidr,
  formatIp,
  networkOf,
  overlaps,
  parseCidr,
  parseIp,
} from './ip.ts';

test('addresses go to numbers and back', () => {
  expect(parseIp('172.17.0.1')).toEqual({ family: 4, value: 0xac110001n });
  expect(formatIp({ family: 4, value: 0xffffffffn })).toBe('255.255.255.255');
  expect(parseIp('fd00::1')).toEqual({ family: 6, value: (0xfd00n << 112n) + 1n });
});

test.each([
  ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
])('%p is written %p', (text, written) => expect(canonicalIp(text)).toBe(written));

test.each([
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '01.2.3.4',
  '1.2.3.-4',
  '',
  '1.2.3.4 ',
  'fd00',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  'fe80::1%eth0',
  '12345::',
  '::1.2.3',
])('parseIp() refuses %p', (text) => expect(parseIp(text)).toBeUndefined());

test.each([
  '172.17.0.1',
  '172.17.0.1/33',
  '172.17.0.1/',
  '172.17.0.1/16/2',
  'fe80::1/129',
  '1.2.3.4/+8',
  '1.2.3.4/08',
])('parseCidr() refuses %p', (text) =>
  expect(() => parseCidr(text)).toThrow(`invalid CIDR address: ${text}`),
);

test('a network is its first address', () => {
  expect(formatCidr(networkOf(parseCidr('172.17.42.1/16')))).toBe('172.17.0.0/16');
  expect(formatCidr(networkOf(parseCidr('10.0.0.77/27')))).toBe('10.0.0.64/27');
  expect(formatCidr(networkOf(parseCidr('200.1.2.3/0')))).toBe('0.0.0.0/0');
  expect(formatCidr(networkOf(parseCidr('fd00:1::5/64')))).toBe('fd00:1::/64');
});

test('networks overlap when one holds the other', () => {
  const [wide, narrow, beside, six] = ['172.16.0.0/12', '172.17.5.0/24', '172.32.0.0/16', '::/0'].map(
    parseCidr,
  );
  expect(overlaps(wide!, narrow!)).toBe(true);
  expect(overlaps(narrow!, wide!)).toBe(true);
  expect(overlaps(wide!, beside!)).toBe(false);
  expect(overlaps(six!, wide!)).toBe(false);
  expect(contains(wide!, parseIp('172.31.255.255')!)).toBe(true);
});
