import { expect, test } from 'bun:test';
import { proxyOf, shownProxy } from './proxy-environment.ts';

const nothing = () => '';

test('proxyOf() takes what is given, then each variable, then the one for both', () => {
  expect(proxyOf(nothing, {})).toEqual({});
  expect(proxyOf(nothing, { ALL_PROXY: 'socks5://a:1', https_proxy: 'http://b:2', no_proxy: 'c' })).toEqual({
    http: 'socks5://a:1',
    https: 'http://b:2',
    no: 'c',
  });
  const given = (key: string) => (key === 'http-proxy' ? 'http://given' : '');
  expect(proxyOf(given, { HTTP_PROXY: 'http://x', all_proxy: 'socks5h://a:1' })).toEqual({
    http: 'http://given',
    https: 'socks5h://a:1',
  });
});

test.each([
  [undefined, ''],
  ['http://proxy:3128', 'http://proxy:3128'],
  ['socks5://me:secret@proxy:1080', 'socks5://xxxxx:xxxxx@proxy:1080'],
  ['me:secret@proxy:3128', 'xxxxx:xxxxx@proxy:3128'],
  ['http://me:se@cret@proxy:3128/', 'http://xxxxx:xxxxx@proxy:3128/'],
])('shownProxy(%s) tells no login', (proxy, shown) => {
  expect(shownProxy(proxy)).toBe(shown);
});
