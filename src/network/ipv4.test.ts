import { expect, test } from 'bun:test';
import { contains, formatCidr, formatIpv4, networkOf, overlaps, parseCidr, parseIpv4 } from './ipv4.ts';

test('addresses go to numbers and back', () => {
  expect(parseIpv4('172.17.0.1')).toBe(0xac110001);
  expect(formatIpv4(0xffffffff)).toBe('255.255.255.255');
});

test.each(['1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.-4', '', '1.2.3.4 '])(
  'parseIpv4() refuses %p',
  (text) => expect(parseIpv4(text)).toBeUndefined(),
);

test.each(['172.17.0.1', '172.17.0.1/33', '172.17.0.1/', '172.17.0.1/16/2', 'fe80::1/64', '1.2.3.4/+8'])(
  'parseCidr() refuses %p',
  (text) => expect(() => parseCidr(text)).toThrow(`invalid CIDR address: ${text}`),
);

test('a network is its first address', () => {
  expect(formatCidr(networkOf(parseCidr('172.17.42.1/16')))).toBe('172.17.0.0/16');
  expect(formatCidr(networkOf(parseCidr('10.0.0.77/27')))).toBe('10.0.0.64/27');
  expect(formatCidr(networkOf(parseCidr('200.1.2.3/0')))).toBe('0.0.0.0/0');
});

test('networks overlap when one holds the other', () => {
  const [wide, narrow, beside] = ['172.16.0.0/12', '172.17.5.0/24', '172.32.0.0/16'].map(parseCidr);
  expect(overlaps(wide!, narrow!)).toBe(true);
  expect(overlaps(narrow!, wide!)).toBe(true);
  expect(overlaps(wide!, beside!)).toBe(false);
  expect(contains(wide!, parseIpv4('172.31.255.255')!)).toBe(true);
});
