import { expect, test } from 'bun:test';
import {
  attributeText,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  NetlinkWriter,
} from './netlink-message.ts';

test('an attribute is length, type, value, padded to four bytes', () => {
  expect(new NetlinkWriter().attributeText(3, 'eth0').bytes().toString('hex')).toBe(
    '09000300' + '6574683000000000',
  );
  expect(new NetlinkWriter().attributeU32(4, 1500).bytes().toString('hex')).toBe('08000400dc050000');
});

test('a nest has the length of what is in it', () => {
  const bytes = new NetlinkWriter()
    .nest(18, (inner) => inner.attributeText(1, 'veth').attributeU32(2, 7))
    .bytes();
  const outer = decodeAttributes(bytes);
  const inner = decodeAttributes(outer.get(18) ?? Buffer.alloc(0));
  expect([attributeText(inner.get(1)), inner.get(2)?.readUInt32LE()]).toEqual(['veth', 7]);
});

test('a writer grows', () => {
  const value = Buffer.alloc(5000, 7);
  expect(decodeAttributes(new NetlinkWriter().u32(0).attribute(1, value).bytes(), 4).get(1)).toEqual(value);
});

test('several messages lie in one datagram', () => {
  const one = encodeMessage({ type: 16, flags: 5, sequence: 1 }, Buffer.from('12345678'));
  const two = encodeMessage({ type: 2, flags: 0, sequence: 2 }, Buffer.alloc(4));
  expect(decodeMessages(Buffer.concat([one, two])).map(({ type, sequence }) => [type, sequence])).toEqual([
    [16, 1],
    [2, 2],
  ]);
});

test('lengths that lie end the reading', () => {
  const short = Buffer.alloc(16);
  short.writeUInt32LE(3, 0);
  expect(decodeMessages(short)).toEqual([]);
  short.writeUInt32LE(400, 0);
  expect(decodeMessages(short)).toEqual([]);
  expect(decodeAttributes(Buffer.from('0000010000', 'hex')).size).toBe(0);
  expect(decodeAttributes(Buffer.from('ff00010000', 'hex')).size).toBe(0);
});
