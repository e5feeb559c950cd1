import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePath } from '../../archive/path-bytes.ts';
import { type FileListing, FileReceiver } from './file-receiver.ts';
import { toGoFileMode } from './go-file-mode.ts';
import { decodePacket, encodePacket, type FileStat, type Packet } from './packet.ts';
import { FileSender } from './testing/file-sender.ts';

let base: string;
let from: string;
let to: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sampan-filesync-'));
  [from, to] = [join(base, 'from'), join(base, 'to')];
  mkdirSync(from);
  mkdirSync(to);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** One transfer; what was asked for, by path. */
function transfer(present: FileListing): { listing: FileListing; asked: string[]; isUnchanged: boolean } {
  const sender = new FileSender(from);
  const listed = sender.listing();
  const queue = listed.map(encodePacket);
  const asked: string[] = [];
  const receiver = new FileReceiver({
    directory: to,
    present,
    send: (message) => {
      const packet = decodePacket(message);
      const stat = packet.type === 'request' ? listed[packet.id] : undefined;
      if (stat?.type === 'stat') asked.push(stat.stat?.path ?? '');
      queue.push(...sender.answer(message));
    },
  });
  let isDone = false;
  while (!isDone) {
    const next = queue.shift();
    if (next === undefined) throw new Error('the receiver waits for what nobody sends');
    isDone = receiver.take(next);
  }
  return { listing: receiver.listing, asked, isUnchanged: receiver.isUnchanged };
}

/** Everything about a tree, in order. */
function survey(directory: string, below = ''): string[] {
  return readdirSync(join(directory, below))
    .sort()
    .flatMap((name) => {
      const path = below === '' ? name : `${below}/${name}`;
      const stat = lstatSync(join(directory, path), { bigint: true });
      const content = stat.isFile()
        ? readFileSync(join(directory, path), 'hex').slice(0, 80)
        : stat.isSymbolicLink()
          ? readlinkSync(join(directory, path))
          : '';
      const size = stat.isDirectory() ? '' : `${stat.size} ${stat.nlink}`;
      const line = `${path} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${stat.mtimeNs} ${size} ${content}`;
      return [line, ...(stat.isDirectory() ? survey(directory, path) : [])];
    });
}

function write(path: string, text: string, mode = 0o644): void {
  writeFileSync(join(from, path), text);
  chmodSync(join(from, path), mode);
}

function fill(): void {
  for (const path of ['a', 'a/deep', 'a.b', 'empty']) mkdirSync(join(from, path));
  write('a/deep/file', 'content');
  write('a/run', '#!/bin/sh\n', 0o4755);
  write('a.b/large', 'x'.repeat(200_001));
  write('nothing', '');
  write('ünïcode', 'u', 0o600);
  symlinkSync('../../outside', join(from, 'a/link'));
  linkSync(join(from, 'a/run'), join(from, 'same'));
  utimesSync(join(from, 'a'), 86_400, 86_400);
}

describe('a transfer', () => {
  test('of everything: types, modes, times, links, contents', () => {
    fill();
    const { asked } = transfer([]);
    expect(survey(to)).toEqual(survey(from));
    expect(asked).toEqual(['a/deep/file', 'a/run', 'a.b/large', 'nothing', 'ünïcode']);
  });

  test('names that are no UTF-8 keep their bytes, and go when they are gone', () => {
    const name = (text: string): Buffer => Buffer.from(text, 'latin1');
    const stat = (path: string, linkname = ''): Uint8Array =>
      encodePacket({
        type: 'stat',
        stat: {
          path: decodePath(name(path)),
          linkname: decodePath(name(linkname)),
          mode: 0o644,
          uid: 0,
          gid: 0,
          sizeBytes: 0n,
          mtimeNano: 0n,
          deviceMajor: 0,
          deviceMinor: 0,
          xattrs: new Map(),
        },
      });
    const receive = (present: FileListing, stats: Uint8Array[], asks: number): FileListing => {
      const receiver = new FileReceiver({ directory: to, present, send: () => undefined });
      for (const packet of stats) receiver.take(packet);
      receiver.take(encodePacket({ type: 'stat', stat: undefined }));
      for (let id = 0; id < asks; id++)
        receiver.take(encodePacket({ type: 'data', id, data: new Uint8Array() }));
      receiver.take(encodePacket({ type: 'finish' }));
      return receiver.listing;
    };
    const names = () =>
      readdirSync(to, { encoding: 'buffer' })
        .map((one) => one.toString('latin1'))
        .sort();
    const first = receive([], [stat('bad\xff'), stat('bad\xff2', 'bad\xff')], 1);
    expect(names()).toEqual(['bad\xff', 'bad\xff2']);
    receive(first, [stat('\xfe')], 1);
    expect(names()).toEqual(['\xfe']);
  });

  test('a second one asks for what has changed alone, and what is gone goes', () => {
    fill();
    const first = transfer([]);
    expect(transfer(first.listing).asked).toEqual([]);
    write('a/deep/file', 'another');
    write('a/new', 'new');
    rmSync(join(from, 'empty'), { recursive: true });
    rmSync(join(from, 'nothing'));
    const second = transfer(first.listing);
    expect(second.asked).toEqual(['a/deep/file', 'a/new']);
    expect(survey(to)).toEqual(survey(from));
  });

  test('one that repeats the last is known as such, one that is shorter, longer or other at its end is not', () => {
    fill();
    const first = transfer([]);
    expect(first.isUnchanged).toBe(false);
    const second = transfer(first.listing);
    expect(second.isUnchanged).toBe(true);
    write('zzz', 'one more');
    const third = transfer(second.listing);
    expect([third.isUnchanged, third.asked]).toEqual([false, ['zzz']]);
    rmSync(join(from, 'zzz'));
    const fourth = transfer(third.listing);
    expect([fourth.isUnchanged, fourth.asked]).toEqual([false, []]);
    write('ünïcode', 'changed at the end');
    expect(transfer(fourth.listing).asked).toEqual(['ünïcode']);
    expect(survey(to)).toEqual(survey(from));
  });

  test('what becomes of another type is replaced, links with it', () => {
    fill();
    const first = transfer([]);
    for (const path of ['a.b', 'a/link', 'nothing']) rmSync(join(from, path), { recursive: true });
    write('a.b', 'a file now');
    mkdirSync(join(from, 'a/link'));
    write('a/link/inside', 'x');
    symlinkSync('/etc', join(from, 'nothing'));
    write('a/run', 'changed through one of its names', 0o755);
    transfer(first.listing);
    expect(survey(to)).toEqual(survey(from));
  });

  test('what changed is written over where it has one name, and no file that another name has too', () => {
    for (const path of ['grows', 'shrinks', 'empties', 'private', 'two']) write(path, 'as it was before');
    linkSync(join(from, 'two'), join(from, 'two.too'));
    if (process.getuid?.() === 0) chownSync(join(from, 'private'), 1000, 1000);
    const first = transfer([]);
    // Another name, which nobody told of: what it names stays as it is.
    linkSync(join(to, 'empties'), join(base, 'held'));
    const inodes = ['grows', 'shrinks', 'private'].map((path) => lstatSync(join(to, path)).ino);
    write('grows', 'longer than it was, by far '.repeat(10_000));
    write('shrinks', 'short');
    write('empties', '');
    write('private', 'not only his any more', 0o600);
    if (process.getuid?.() === 0) chownSync(join(from, 'private'), 0, 0);
    rmSync(join(from, 'two.too'));
    write('two', 'of one name now');
    write('two.too', 'a file of its own');
    const second = transfer(first.listing);
    expect(survey(to)).toEqual(survey(from));
    expect(['grows', 'shrinks', 'private'].map((path) => lstatSync(join(to, path)).ino)).toEqual(inodes);
    expect(readFileSync(join(base, 'held'), 'utf8')).toBe('as it was before');
    rmSync(join(to, 'grows'));
    symlinkSync(join(base, 'held'), join(to, 'grows'));
    write('grows', 'not into what a link leads to');
    transfer(second.listing);
    expect(survey(to)).toEqual(survey(from));
    expect(readFileSync(join(base, 'held'), 'utf8')).toBe('as it was before');
  });

  test('a link in the place of a directory leads to no removal of what it points to', () => {
    const outside = join(base, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'inside'), 'the host has this');
    mkdirSync(join(from, 'lib/deep'), { recursive: true });
    mkdirSync(join(from, 'other'));
    for (const path of ['lib/inside', 'lib/deep/file', 'other/deep']) write(path, path);
    const first = transfer([]);
    rmSync(join(from, 'lib'), { recursive: true });
    symlinkSync(outside, join(from, 'lib'));
    const second = transfer(first.listing);
    expect(readFileSync(join(outside, 'inside'), 'utf8')).toBe('the host has this');
    rmSync(join(from, 'lib'));
    mkdirSync(join(from, 'lib'));
    write('lib/deep', 'back');
    const third = transfer(second.listing);
    rmSync(join(from, 'lib'), { recursive: true });
    symlinkSync('other', join(from, 'lib'));
    transfer(third.listing);
    expect(survey(to)).toEqual(survey(from));
  });

  test('a file that changes while it is sent is asked for again the next time', () => {
    write('log', 'first');
    const sender = new FileSender(from);
    const queue = sender.listing().map(encodePacket);
    write('log', 'first and second');
    const receiver = new FileReceiver({
      directory: to,
      present: [],
      send: (message) => void queue.push(...sender.answer(message)),
    });
    for (let next = queue.shift(); next !== undefined && !receiver.take(next); next = queue.shift());
    expect(readFileSync(join(to, 'log'), 'utf8')).toBe('first and second');
    expect(transfer(receiver.listing).asked).toEqual(['log']);
  });
});

describe('hostile senders', () => {
  const stat = (path: string, more: Partial<FileStat> = {}): Packet => ({
    type: 'stat',
    stat: {
      path,
      mode: toGoFileMode('file', 0o644),
      uid: 0,
      gid: 0,
      sizeBytes: 0n,
      mtimeNano: 0n,
      linkname: '',
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: new Map(),
      ...more,
    },
  });
  const directory = { mode: toGoFileMode('directory', 0o755) };
  const link = { mode: toGoFileMode('symlink', 0o777), linkname: '/etc' };
  const end: Packet = { type: 'stat', stat: undefined };

  test.each<[string, Packet[], string]>([
    ['a path up', [stat('../x')], 'no clean relative path'],
    ['an absolute path', [stat('/etc/x')], 'no clean relative path'],
    ['no path', [stat('')], 'no clean relative path'],
    ['a NUL', [stat('a\0b')], 'no clean relative path'],
    ['an unclean path', [stat('a', directory), stat('a/./b')], 'no clean relative path'],
    ['a file in a link', [stat('a', link), stat('a/passwd')], 'in no directory that was sent'],
    ['a file in a file', [stat('a'), stat('a/b')], 'in no directory that was sent'],
    ['the same name twice', [stat('a'), stat('a', link)], 'comes after "a"'],
    ['names out of order', [stat('b'), stat('a')], 'comes after "b"'],
    [
      'a directory that was left',
      [stat('a', directory), stat('b'), stat('a/c')],
      'in no directory that was sent',
    ],
    ['a hard link out', [stat('a', { linkname: '../../etc/passwd' })], 'links to what is no file'],
    ['a hard link to a link', [stat('a', link), stat('b', { linkname: 'a' })], 'links to what is no file'],
    ['a long name', [stat('x'.repeat(256))], 'too long'],
    [
      'content that nobody asked for',
      [stat('a', directory), { type: 'data', id: 0, data: Buffer.from('x') }],
      'not asked for',
    ],
    ['a file after the last', [end, stat('a')], 'came after the last'],
    ['an end before the list’s', [stat('a'), { type: 'finish' }], 'ended before all had come'],
    ['an end before a file’s', [stat('a'), end, { type: 'finish' }], 'ended before all had come'],
    ['an error', [{ type: 'error', message: 'disk on fire' }], 'error from sender: disk on fire'],
  ])('%s is refused', (_, packets, reason) => {
    const receiver = new FileReceiver({ directory: to, present: [], send: () => undefined });
    expect(() => {
      for (const packet of packets) receiver.take(encodePacket(packet));
    }).toThrow(reason);
    receiver.close();
  });

  test('a socket where a file was: the file goes', () => {
    const take = (present: FileListing, packets: Packet[]) => {
      const receiver = new FileReceiver({ directory: to, present, send: () => undefined });
      for (const packet of packets) receiver.take(encodePacket(packet));
      return receiver.listing;
    };
    const content: Packet[] = ['x', ''].map((data) => ({ type: 'data', id: 0, data: Buffer.from(data) }));
    const first = take([], [stat('a', { sizeBytes: 1n }), end, ...content]);
    expect(readdirSync(to)).toEqual(['a']);
    take(first, [stat('a', { mode: toGoFileMode('socket', 0o755) }), end]);
    expect(readdirSync(to)).toEqual([]);
  });

  test('bytes that are no packet are refused', () => {
    const receiver = new FileReceiver({ directory: to, present: [], send: () => undefined });
    for (const bytes of [[0x08, 0x63], [0x12, 0x7f], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0xff]])
      expect(() => receiver.take(Uint8Array.from(bytes)), String(bytes)).toThrow('Cannot read a packet');
  });
});
