import { expect, test } from 'bun:test';
import { anonymousPlaces } from './container-volumes.ts';
import { testConfig, testHost } from './testing/service-fixture.ts';

const placesOf = (volumes: string[], host: Parameters<typeof testHost>[0] = {}) =>
  anonymousPlaces(testConfig('true', { volumes }), testHost(host));

test('places are made plain, each once, parents first', () => {
  expect(placesOf(['/data/own/', '/data/../data', 'rel', '/data/own', '/a//b/.'])).toEqual([
    '/a/b',
    '/data',
    '/data/own',
    '/rel',
  ]);
  expect(placesOf(['/../../etc'])).toEqual(['/etc']);
});

test('where something else is mounted, no volume is made', () => {
  expect(placesOf(['/a', '/b', '/c'], { binds: ['/x:/a:ro'], tmpfs: { '/b/': '' } })).toEqual(['/c']);
});

test('the root is no place for a volume', () => {
  for (const text of ['/', '', '/x/..']) expect(() => placesOf([text]), text).toThrow("can't be '/'");
  expect(() => placesOf(['/a\0b'])).toThrow('invalid volume specification');
});
