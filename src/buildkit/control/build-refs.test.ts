import { expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { ReadableSource, SourceFiles } from '../../builder/read-source.ts';
import { BuildRefs } from './build-refs.ts';

const remote = (url: string): ReadableSource => ({ type: 'remote', url });

/** Files of which only the end is of interest. */
function filesOf(closed: string[], name: string): SourceFiles {
  return { close: async () => void closed.push(name) } as Partial<SourceFiles> as SourceFiles;
}

test('fetches a source when it is looked into, once, and again where that failed', async () => {
  const opened: ReadableSource[] = [];
  let isDown = true;
  const refs = new BuildRefs(async (source) => {
    opened.push(source);
    if (isDown) throw new Error('down');
    return filesOf([], 'x');
  });
  const id = refs.add(remote('a'));
  expect(opened).toEqual([]);
  expect(await failureOf(refs.files(id))).toMatchObject({ message: 'down' });
  isDown = false;
  expect(await refs.files(id)).toBe(await refs.files(id));
  expect(opened).toEqual([remote('a'), remote('a')]);
  expect(refs.add({ type: 'image', reference: 'sha256:1' })).toBe('sha256:1');
});

test('knows no other names, and not too many', async () => {
  const refs = new BuildRefs(async () => filesOf([], 'x'));
  expect(() => refs.source('')).toThrow('no such ref: ');
  expect(await failureOf(refs.files('sha256:1'))).toMatchObject({ message: 'no such ref: sha256:1' });
  for (let at = 0; at < 99; at++) refs.add(remote(String(at)));
  const image = { type: 'image', reference: 'i' } as const;
  refs.add(image);
  expect(() => refs.add(remote('x'))).toThrow('more than 100');
  // The same once more is none more.
  expect(refs.add(image)).toBe('i');
});

test('closes what is open, and what is still being fetched', async () => {
  const closed: string[] = [];
  const slow = Promise.withResolvers<SourceFiles>();
  const refs = new BuildRefs(async (source) =>
    source.type === 'remote' && source.url === 'slow' ? await slow.promise : filesOf(closed, 'fast'),
  );
  await refs.files(refs.add(remote('fast')));
  const late = refs.add(remote('slow'));
  const opening = refs.files(late);
  const closing = refs.close();
  expect(() => refs.source(late)).toThrow('no such ref');
  slow.resolve(filesOf(closed, 'slow'));
  await Promise.all([closing, opening]);
  expect(closed.sort()).toEqual(['fast', 'slow']);
});
