import { describe, expect, test } from 'bun:test';
import type { Digest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { type ImageTag, TagIndex } from './tag-index.ts';

const one = `sha256:${'1'.repeat(64)}` as Digest;
const two = `sha256:${'2'.repeat(64)}` as Digest;

function tag(name: string, image: Digest): ImageTag {
  return { reference: parseReference(name), image, taggedNano: 1n };
}

function indexOf(tags: [string, Digest][]): TagIndex {
  const index = new TagIndex();
  for (const [name, image] of tags) index.set(name, tag(name, image));
  return index;
}

const names = (tags: ImageTag[]) => tags.map(({ reference }) => reference.tag);

describe('TagIndex', () => {
  test('lists all tags, and one image’s, by name', () => {
    const index = indexOf([
      ['a:z', one],
      ['a:b', two],
      ['a:c', one],
    ]);
    expect(names(index.all())).toEqual(['b', 'c', 'z']);
    expect(names(index.of(one))).toEqual(['c', 'z']);
    expect(names(index.of(`sha256:${'3'.repeat(64)}` as Digest))).toEqual([]);
  });

  test('a name that moves leaves its old image', () => {
    const index = indexOf([
      ['a:1', one],
      ['a:2', one],
    ]);
    index.set('a:1', tag('a:1', two));
    expect(index.get('a:1')?.image).toBe(two);
    expect(names(index.of(one))).toEqual(['2']);
    expect(names(index.of(two))).toEqual(['1']);
  });

  test('delete() and deleteOf() forget names on both sides', () => {
    const index = indexOf([
      ['a:1', one],
      ['a:2', one],
      ['a:3', two],
    ]);
    index.delete('a:1');
    index.delete('a:9');
    expect(names(index.of(one))).toEqual(['2']);
    index.deleteOf(one);
    expect(index.get('a:2')).toBeUndefined();
    expect(names(index.all())).toEqual(['3']);
  });
});
