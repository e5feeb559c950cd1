import { expect, test } from 'bun:test';
import { encodeWebSocketFrame, type FramePart, FrameReader } from './frame-reader.ts';

const MASK = Buffer.from([1, 2, 3, 4]);

/** A client's frame. `head` replaces the first byte. */
function frame(
  opcode: number,
  text: string | Uint8Array,
  { final = true, masked = true, head = undefined as number | undefined } = {},
) {
  const plain = encodeWebSocketFrame(opcode, Buffer.from(text as string));
  const headerBytes = plain.length - Buffer.from(text as string).length;
  const [header, data] = [
    Buffer.from(plain.subarray(0, headerBytes)),
    Buffer.from(plain.subarray(headerBytes)),
  ];
  header[0] = head ?? (final ? 0x80 : 0) | opcode;
  if (!masked) return Buffer.concat([header, data]);
  header[1] = (header[1] ?? 0) | 0x80;
  for (let at = 0; at < data.length; at++) data[at] = (data[at] ?? 0) ^ (MASK[at % 4] ?? 0);
  return Buffer.concat([header, MASK, data]);
}

function read(bytes: Uint8Array, pieceBytes = bytes.length): FramePart[] {
  const reader = new FrameReader();
  const parts: FramePart[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    parts.push(...reader.take(bytes.subarray(at, at + pieceBytes)));
  return parts;
}
const dataOf = (parts: readonly FramePart[]) =>
  Buffer.concat(parts.filter(({ kind }) => kind === 'data').map(({ data }) => data));

test.each([1, 3, 7, 100_000])('frames in pieces of %d bytes', (pieceBytes) => {
  const long = Buffer.alloc(70_000, 'ab');
  const bytes = Buffer.concat([
    frame(1, 'he', { final: false }),
    frame(9, 'ping'),
    frame(0, 'llo'),
    frame(2, long),
    frame(2, Buffer.alloc(300, 'c')),
    frame(2, ''),
    frame(8, ''),
  ]);
  const parts = read(bytes, pieceBytes);
  expect(dataOf(parts).equals(Buffer.concat([Buffer.from('hello'), long, Buffer.alloc(300, 'c')]))).toBe(
    true,
  );
  expect(
    parts.filter(({ kind }) => kind !== 'data').map(({ kind, data }) => `${kind} ${data.toString()}`),
  ).toEqual(['ping ping', 'close ']);
});

test.each([
  ['not masked', frame(1, 'x', { masked: false })],
  ['reserved bits', frame(1, 'x', { head: 0xc1 })],
  ['unknown opcode', frame(3, 'x')],
  ['unknown opcode', frame(11, 'x')],
  ['control frame', frame(9, 'x', { final: false })],
  ['control frame', frame(9, 'x'.repeat(126))],
  ['within another', Buffer.concat([frame(1, 'x', { final: false }), frame(1, 'y')])],
  ['has not begun', frame(0, 'x')],
  ['too long', Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])],
])('what no client may send: %s', (message, bytes) => {
  expect(() => read(bytes)).toThrow(message);
});

test('a server frame of each length', () => {
  expect([...encodeWebSocketFrame(2, Buffer.from('hi'))]).toEqual([0x82, 2, 0x68, 0x69]);
  expect([...encodeWebSocketFrame(2, Buffer.alloc(126)).subarray(0, 4)]).toEqual([0x82, 126, 0, 126]);
  expect([...encodeWebSocketFrame(2, Buffer.alloc(65_536)).subarray(0, 10)]).toEqual([
    0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0,
  ]);
});
