import { expect, test } from 'bun:test';
import { parseBind } from './binds.ts';

test('a bind has source, clean destination, mode and propagation', () => {
  expect(parseBind('/a/../b/:/c//d/:ro,rslave')).toEqual({
    source: '/b',
    destination: '/c/d',
    options: ['ro', 'rslave'],
    readonly: true,
    propagation: 'rslave',
  });
  expect(parseBind('/:/host')).toMatchObject({
    source: '/',
    destination: '/host',
    readonly: false,
    propagation: 'rprivate',
  });
});

test.each(['/a', ':/b', '/a:', '/a:/b:ro:x', '/a:/b:nosuch', '/a:/b:ro,rw', '/a:b', '/a:/', '/a:/x/..'])(
  'parseBind(%p) is refused',
  (text) => {
    expect(() => parseBind(text)).toThrow(/invalid/);
  },
);

test('a named volume is a known gap, not silence', () =>
  expect(() => parseBind('data:/b')).toThrow('named volumes'));
