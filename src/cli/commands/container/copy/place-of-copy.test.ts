import { expect, test } from 'bun:test';
import { absoluteLocal, splitArgument, splitEntry, withEnd } from './local-path.ts';
import { placeOfCopy } from './place-of-copy.ts';

const directory = (path: string) => ({ path, exists: true, isDirectory: true });
const file = (path: string) => ({ path, exists: true, isDirectory: false });
const absent = (path: string) => ({ path, exists: false, isDirectory: false });

test.each([
  [{ name: 'a', isDirectory: false }, directory('/d'), '/d', 'a'],
  [{ name: 'a', isDirectory: true }, directory('/d/'), '/d/', 'a'],
  [{ name: '.', isDirectory: true }, directory('/d'), '/d', '.'],
  [{ name: '/', isDirectory: true }, directory('/d'), '/d', '.'],
  [{ name: 'a', isDirectory: false }, file('/d/b'), '/d', 'b'],
  [{ name: 'a', isDirectory: true }, absent('/d/b/'), '/d', 'b'],
  [{ name: '.', isDirectory: true }, absent('/d/b'), '/d', 'b'],
  [{ name: 'a', isDirectory: false }, absent('/d/b'), '/d', 'b'],
])('%j to %j goes to %s as %s', (source, destination, folder, name) => {
  expect(placeOfCopy(source, destination)).toEqual({ directory: folder, name });
});

test('what fits nowhere is refused in words of Docker', () => {
  const refused =
    (...args: Parameters<typeof placeOfCopy>) =>
    () =>
      placeOfCopy(...args);
  expect(refused({ name: 'a', isDirectory: true }, file('/d/b'))).toThrow('cannot copy directory');
  expect(refused({ name: 'a', isDirectory: false }, absent('/d/b/'))).toThrow('no such directory');
});

test.each([
  ['web:/etc', 'web', '/etc'],
  ['/a:b', '', '/a:b'],
  ['./a:b', '', './a:b'],
  ['a', '', 'a'],
  ['web:', 'web', ''],
  ['-', '', '-'],
])('the argument %s', (text, container, path) => {
  expect(splitArgument(text)).toEqual({ container, path });
});

test('the end of a path is kept', () => {
  expect(absoluteLocal('/w', 'a/')).toBe('/w/a/');
  expect(absoluteLocal('/w', 'a/.')).toBe('/w/a/.');
  expect(absoluteLocal('/w', '.')).toBe('/w/.');
  expect(absoluteLocal('/', '/')).toBe('/');
  expect(withEnd('/x', 'link/')).toBe('/x/');
  expect(splitEntry('/a/b/')).toEqual({ directory: '/a', name: 'b' });
  expect(splitEntry('/a/b/.')).toEqual({ directory: '/a/b', name: '.' });
});
