import { expect, test } from 'bun:test';
import {
  algorithmOf,
  type Digest,
  digestOf,
  digestOfHex,
  hasDigest,
  hexOf,
  isDigest,
  parseDiffId,
} from './digest.ts';

const abc = new TextEncoder().encode('abc');
// FIPS 180-2, appendices B.1, C.1 and D.1.
const known: Digest[] = [
  'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  'sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
  'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
] as Digest[];

test('each algorithm gives the digest that its standard tells', () => {
  for (const digest of known) {
    expect(digestOf(abc, algorithmOf(digest))).toBe(digest);
    expect(hasDigest(abc, digest)).toBe(true);
    expect(hasDigest(abc.slice(1), digest)).toBe(false);
    expect(digestOfHex(hexOf(digest))).toBe(digest);
  }
});

test('a digest has the length of its algorithm, in lower case, and an algorithm that we know', () => {
  for (const digest of known) expect(isDigest(digest)).toBe(true);
  const hex = 'a'.repeat(64);
  const wrong = [
    `sha512:${hex}`,
    `sha256:${hex}a`,
    `sha256:${hex.toUpperCase()}`,
    `blake3:${hex}`,
    hex,
    '',
    'x',
    `sha256:${hex}\n`,
  ];
  for (const text of wrong) expect(isDigest(text)).toBe(false);
  expect(digestOfHex('../../etc')).toBeUndefined();
});

test('a layer is known by sha256 alone', () => {
  expect(parseDiffId(known[0] ?? '')).toBe(known[0] as never);
  expect(() => parseDiffId(known[2] ?? '')).toThrow('expected sha256:<64 hex digits>');
});
