import { expect, test } from 'bun:test';
import { formatCidr, parseCidr } from '../sys/ip.ts';
import { chooseSubnet, defaultPools } from './subnet-pools.ts';

const POOLS = defaultPools('/var/lib/sampan');
const choose = (used: string[], family: 4 | 6 = 4) =>
  formatCidr(chooseSubnet(POOLS, family, used.map(parseCidr)));

test('Docker’s pools are gone through in order', () => {
  expect(choose([])).toBe('172.17.0.0/16');
  expect(choose(['172.17.0.0/16', '172.18.4.0/24'])).toBe('172.19.0.0/16');
  expect(choose(['172.16.0.0/12'])).toBe('192.168.0.0/20');
  expect(choose(['172.16.0.0/12', '192.168.0.0/23', '192.168.31.0/24'])).toBe('192.168.32.0/20');
  expect(() => choose(['0.0.0.0/0'])).toThrow('all predefined address pools have been fully subnetted');
});

test('IPv6 comes from a unique local prefix of the engine’s own', () => {
  const first = choose([], 6);
  expect(first).toMatch(/^fd[0-9a-f:]+::\/64$/);
  expect(choose([first], 6)).not.toBe(first);
  expect(formatCidr(chooseSubnet(defaultPools('/other'), 6, []))).not.toBe(first);
});

test('a wide pool of many small subnets is not walked through', () => {
  const pools = [{ base: parseCidr('10.0.0.0/8'), prefixLength: 30 }];
  const used = ['10.0.0.0/9', '10.128.0.0/30'].map(parseCidr);
  expect(formatCidr(chooseSubnet(pools, 4, used))).toBe('10.128.0.4/30');
});
