import { expect, test } from 'bun:test';
import { comparePathBytes, decodePath, encodePath } from './path-bytes.ts';

test('every byte string comes back, and no two share a text', () => {
  const texts = new Map<string, string>();
  const samples = [
    Buffer.from('plain/ünï/日本/😀'),
    Buffer.from([0xff, 0xfe, 0x41]),
    Buffer.from([0xc3]),
    Buffer.from([0xe2, 0x82]),
    // Python writes these as U+DCED U+DCA0 U+DC80 too: UTF-8 has no surrogates.
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from([0xf4, 0x90, 0x80, 0x80]),
    Buffer.from([0xf0, 0x9f, 0x98, 0x80, 0x80]),
    ...Array.from({ length: 256 }, (_, byte) => Buffer.from([0x61, byte, 0x62])),
    ...Array.from({ length: 500 }, () => Buffer.from(crypto.getRandomValues(new Uint8Array(12)))),
  ];
  for (const bytes of samples) {
    const text = decodePath(bytes);
    expect(encodePath(text).equals(bytes)).toBe(true);
    expect(texts.get(text) ?? bytes.toString('hex')).toBe(bytes.toString('hex'));
    texts.set(text, bytes.toString('hex'));
  }
  expect(decodePath(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\udced\udca0\udc80');
});

test('a surrogate that is no escaped byte has no bytes', () => {
  expect(() => encodePath('a\ud800')).toThrow('lone surrogate');
  expect(() => encodePath('a\udc7f')).toThrow('lone surrogate');
});

test('order is by bytes, not by UTF-16', () => {
  // U+FF5E is EF BD 9E, U+1F600 is F0 9F 98 80, but its first unit is D83D.
  expect(['😀', '～', 'a', '\udcff'].toSorted(comparePathBytes)).toEqual(['a', '～', '😀', '\udcff']);
});
