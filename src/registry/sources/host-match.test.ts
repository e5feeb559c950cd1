import { expect, test } from 'bun:test';
import { areInsecure, bypassesProxy, isInsecureHost, resolvesToInsecure } from './host-match.ts';

test.each([
  ['127.0.0.1:5000', true],
  ['127.9.9.9', true],
  ['localhost:5000', true],
  ['[::1]:5000', true],
  ['128.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['reg.example.com:5000', true],
  ['reg.example.com:5001', false],
  ['reg.example.com', false],
  ['any.example.net:1', true],
  ['10.1.2.3:5000', true],
  ['10.2.2.3', false],
  ['[fd00::5]:5000', true],
  ['[fd01::5]:5000', false],
])('isInsecureHost(%s) is %p', (host, expected) => {
  const entries = [
    'reg.example.com:5000',
    'any.example.net',
    '10.1.0.0/16',
    'fd00::/64',
    'bad/cidr',
    '1.2.3.4/99',
  ];
  expect(isInsecureHost(host, entries)).toBe(expected);
});

// Go's golang.org/x/net/http/httpproxy, which dockerd uses.
test.each([
  ['http://127.0.0.1:80', '', true],
  ['https://example.com', '*', true],
  ['https://example.com', 'example.com', true],
  ['https://sub.example.com', 'example.com', true],
  ['https://EXAMPLE.com', 'Example.COM', true],
  ['https://example.com', '.example.com', false],
  ['https://sub.example.com', '.example.com', true],
  ['https://sub.example.com', '*.example.com', true],
  ['https://notexample.com', 'example.com', false],
  ['http://example.com:8080', 'example.com:8080', true],
  ['http://example.com:8081', 'example.com:8080', false],
  ['https://example.com', 'example.com:443', true],
  ['http://example.com', 'example.com:443', false],
  ['http://example.com', 'a.example, example.com:80 ,b.example', true],
  ['https://10.1.2.3', '192.168.0.0/16, 10.0.0.0/8', true],
  ['https://10.1.2.3', '10.1.2.3', true],
  ['https://10.1.2.3:5000', '10.1.2.3:5000', true],
  ['https://[fd00::1]:5000', 'fd00::/8', true],
  ['https://[fd00::1]:5000', 'fd00::1', true],
  ['https://[fd00::1]:5000', '[fd00::1]:5000', true],
  ['https://[fd00::1]:5000', '[fd00::1]:5001', false],
  ['https://example.com', undefined, false],
])('bypassesProxy(%s, %p) is %p', (url, list, expected) => {
  expect(bypassesProxy(new URL(url), list)).toBe(expected);
});

test('resolvesToInsecure() knows names of loopback, and none that cannot be resolved', async () => {
  expect(await resolvesToInsecure('localhost:5000', [])).toBe(true);
  expect(await resolvesToInsecure('nosuch.invalid', ['0.0.0.0/0'])).toBe(false);
  expect(await resolvesToInsecure('192.0.2.1', ['192.0.2.0/24'])).toBe(false);
});

test.each([
  [[], ['0.0.0.0/0'], false],
  [['127.0.0.1', '::1'], [], true],
  [['10.0.0.1'], ['10.0.0.0/8', 'a.example'], true],
  [['10.0.0.1', '127.0.0.1'], ['10.0.0.0/8'], true],
  [['192.0.2.1', '127.0.0.1'], [], false],
  [['10.0.0.1', '192.0.2.1'], ['10.0.0.0/8'], false],
])('areInsecure(%p, %p) is %p: one address among others is not enough', (addresses, entries, expected) => {
  expect(areInsecure(addresses, entries)).toBe(expected);
});
