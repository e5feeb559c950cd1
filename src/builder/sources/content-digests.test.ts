import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeAttributes } from '../../archive/tree.ts';
import { ContentDigests } from './content-digests.ts';
import type { ContentStamp, FileNode } from './file-node.ts';

let directory: string;
let file: string;
let opened = 0;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'content-digests-'));
  file = join(directory, 'digests');
  opened = 0;
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function node(
  text: string,
  changes: Partial<ContentStamp> = {},
  attributes: Partial<NodeAttributes> = {},
): FileNode {
  const bytes = Buffer.from(text);
  return {
    key: text,
    type: 'file',
    size: bytes.length,
    links: 1,
    attributes: () => ({
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtimeSeconds: 5,
      mtimeNanoseconds: 0,
      size: bytes.length,
      links: 1,
      xattrs: new Map(),
      ...attributes,
    }),
    names: () => [],
    child: () => undefined,
    open: () => {
      opened++;
      return {
        read: (buffer, at, length, position) => bytes.copy(buffer, at, position, position + length),
        close: () => undefined,
      };
    },
    stamp: () => ({
      device: 1n,
      inode: 2n,
      size: BigInt(bytes.length),
      mtimeNs: 3n,
      ctimeNs: 4n,
      ...changes,
    }),
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('ContentDigests', () => {
  test('of() counts content, mode, owner and xattrs, but no time and none of the system’s own', () => {
    const digests = new ContentDigests(undefined);
    let inode = 10n;
    const of = (text: string, attributes: Partial<NodeAttributes> = {}): string =>
      hex(digests.of(node(text, { inode: inode++ }, attributes)));
    const plain = of('a');
    expect(of('a', { mtimeSeconds: 99, links: 3 })).toBe(plain);
    expect(of('a', { xattrs: new Map([['security.selinux', Buffer.from('x')]]) })).toBe(plain);
    expect(of('a', { xattrs: new Map([['system.posix_acl_access', Buffer.from('x')]]) })).toBe(plain);
    const others = [
      of('b'),
      of('a', { mode: 0o755 }),
      of('a', { uid: 1 }),
      of('a', { gid: 1 }),
      of('a', { xattrs: new Map([['security.capability', Buffer.from('x')]]) }),
      of('a', { xattrs: new Map([['user.x', Buffer.from('x')]]) }),
    ];
    expect(new Set([plain, ...others]).size).toBe(7);
  });

  test('of() reads again only what may have changed, over restarts', () => {
    const first = new ContentDigests(file);
    const digest = hex(first.of(node('a')));
    first.save();
    const second = new ContentDigests(file);
    expect(hex(second.of(node('a')))).toBe(digest);
    expect(opened).toBe(1);
    for (const change of [{ ctimeNs: 5n }, { mtimeNs: 4n }, { size: 9n }, { inode: 3n }, { device: 2n }])
      new ContentDigests(file).of(node('b', change));
    expect(opened).toBe(6);
  });

  test('of() does not trust what changed as it was read', () => {
    // As far ahead as no pause of this machine reaches.
    const now = BigInt(Date.now() + 3_600_000) * 1_000_000n;
    const first = new ContentDigests(file);
    first.of(node('a', { ctimeNs: now }));
    first.save();
    new ContentDigests(file).of(node('b', { ctimeNs: now }));
    expect(opened).toBe(2);
  });

  test('a file that is none of ours is begun anew', () => {
    writeFileSync(file, 'something else');
    const digests = new ContentDigests(file);
    digests.of(node('a'));
    digests.save();
    new ContentDigests(file).of(node('a'));
    expect(opened).toBe(1);
  });
});
