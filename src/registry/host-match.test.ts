import { expect, test } from 'bun:test';
import { bypassesProxy, isInsecureHost } from './host-match.ts';
import { sourcesOf } from './sources.ts';
import { plainConfig } from './testing/contract.ts';

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

test.each([
  ['127.0.0.1:80', '', true],
  ['example.com', '*', true],
  ['example.com', 'example.com', true],
  ['sub.example.com', 'example.com', true],
  ['example.com', '.example.com', false],
  ['sub.example.com', '.example.com', true],
  ['notexample.com', 'example.com', false],
  ['example.com:8080', 'example.com:8080', true],
  ['example.com:8081', 'example.com:8080', false],
  ['10.1.2.3', '192.168.0.0/16, 10.0.0.0/8', true],
  ['example.com', undefined, false],
])('bypassesProxy(%s, %p) is %p', (host, list, expected) => {
  expect(bypassesProxy(host, list)).toBe(expected);
});

test('sourcesOf() asks mirrors of docker.io in order, then the hub', () => {
  const mirrors = ['http://127.0.0.1:5000/', 'https://user:secret@mirror.example/prefix/?x', 'no url'];
  const urls = (domain: string) =>
    sourcesOf(domain, { ...plainConfig, mirrors }).map(({ baseUrl }) => baseUrl);
  expect(urls('docker.io')).toEqual([
    'http://127.0.0.1:5000',
    'https://mirror.example/prefix',
    'https://registry-1.docker.io',
  ]);
  expect(urls('quay.io')).toEqual(['https://quay.io']);
  expect(urls('localhost:5000')).toEqual(['https://localhost:5000', 'http://localhost:5000']);
});
