import { afterEach, describe, expect, test } from 'bun:test';
import { checked, libc } from './libc.ts';
import { PacketReader } from './packet-reader.ts';
import { closeFd } from './pipe.ts';
import { widenSender } from './widen-sender.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const MSG_DONTWAIT = 0x40;
const open = new Set<number>();

afterEach(() => {
  for (const fd of open) closeFd(fd);
  open.clear();
});

function pair(): { near: number; far: number } {
  const fds = new Int32Array(2);
  checked(libc.socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 'socketpair', 'make a pair');
  for (const fd of fds) open.add(fd);
  return { near: fds[0] ?? -1, far: fds[1] ?? -1 };
}

function send(fd: number, kind: number, text: string): boolean {
  const packet = Buffer.from(`${String.fromCharCode(kind)}${text}`, 'latin1');
  return Number(libc.send(fd, packet, BigInt(packet.length), MSG_DONTWAIT)) === packet.length;
}

function readAll(reader: PacketReader): { pieces: [number, string][]; ended: boolean; broken: boolean } {
  const pieces: [number, string][] = [];
  const { ended, broken } = reader.read((kind, data) => {
    pieces.push([kind, Buffer.from(data).toString('latin1')]);
  });
  return { pieces, ended, broken };
}

describe('PacketReader', () => {
  test('joins packets of one kind, in order, whatever their length', () => {
    const { near, far } = pair();
    const reader = new PacketReader(near, 9);
    for (const [kind, text] of [
      [2, 'abcdefgh'],
      [2, 'i'],
      [2, 'jklmnopq'],
      [3, 'error'],
      [2, 'r'],
    ] as const)
      expect(send(far, kind, text)).toBe(true);
    expect(readAll(reader).pieces).toEqual([
      [2, 'abcdefghijklmnopq'],
      [3, 'error'],
      [2, 'r'],
    ]);
    expect(readAll(reader)).toEqual({ pieces: [], ended: false, broken: false });
    reader.close();
  });

  test('more packets than one look takes come with the next', () => {
    const { near, far } = pair();
    const reader = new PacketReader(near, 5);
    for (let at = 0; at < 40; at++) send(far, 2, String(1000 + at));
    let text = '';
    let looks = 0;
    for (let more = true; more; looks++)
      more = reader.read((_kind, data) => {
        text += Buffer.from(data).toString();
      }).full;
    expect(looks).toBe(2);
    expect(text).toBe(Array.from({ length: 40 }, (_, at) => String(1000 + at)).join(''));
    reader.close();
  });

  test('the bytes are the taker’s own', () => {
    const { near, far } = pair();
    const reader = new PacketReader(near, 9);
    const kept: Uint8Array[] = [];
    for (const text of ['first', 'other']) {
      send(far, 2, text);
      reader.read((_kind, data) => kept.push(data));
    }
    expect(kept.map((data) => Buffer.from(data).toString())).toEqual(['first', 'other']);
    reader.close();
  });

  test('what was sent before the end comes before the end', () => {
    const { near, far } = pair();
    const reader = new PacketReader(near, 9);
    send(far, 2, 'last');
    closeFd(far);
    open.delete(far);
    expect(readAll(reader)).toEqual({ pieces: [[2, 'last']], ended: true, broken: false });
    reader.close();
    expect(readAll(reader).pieces).toEqual([]);
  });

  test('a packet longer than was said is told of, not cut in silence', () => {
    const { near, far } = pair();
    const reader = new PacketReader(near, 5);
    send(far, 2, 'fits');
    send(far, 2, 'too long');
    expect(readAll(reader)).toEqual({ pieces: [[2, 'fits']], ended: false, broken: true });
    reader.close();
  });
});

test.skipIf(process.getuid?.() !== 0)('widenSender() lets the sender put more into the socket', () => {
  const capacity = (widen: boolean) => {
    const { near, far } = pair();
    if (widen) widenSender(near, 1 << 20);
    let packets = 0;
    while (send(far, 2, 'x'.repeat(8192))) packets++;
    return packets;
  };
  const before = capacity(false);
  expect(capacity(true)).toBeGreaterThan(4 * before);
});
