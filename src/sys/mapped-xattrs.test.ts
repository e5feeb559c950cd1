import { expect, test } from 'bun:test';
import type { IdMap } from './id-map.ts';
import { xattrOnHost, xattrWithin } from './mapped-xattrs.ts';

const map: IdMap = {
  uids: [{ containerId: 0, hostId: 100_000, size: 65_536 }],
  gids: [{ containerId: 0, hostId: 200_000, size: 65_536 }],
};
/** u::rwx,u:7:r,g::r,g:8:w,m::rwx,o::r as setfacl(1) writes it; the ids of user and group are put in. */
function list(user: number, group: number): Buffer<ArrayBuffer> {
  const entries = [
    [0x01, 7, 0xffff_ffff],
    [0x02, 4, user],
    [0x04, 4, 0xffff_ffff],
    [0x08, 2, group],
    [0x10, 7, 0xffff_ffff],
    [0x20, 4, 0xffff_ffff],
  ];
  const value = Buffer.alloc(4 + entries.length * 8);
  value.writeUInt32LE(2);
  for (const [at, [tag = 0, permissions = 0, id = 0]] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + at * 8);
    value.writeUInt16LE(permissions, 6 + at * 8);
    value.writeUInt32LE(id, 8 + at * 8);
  }
  return value;
}

test.each(['system.posix_acl_access', 'system.posix_acl_default'])(
  '%s has the ids of those within',
  (name) => {
    expect(Buffer.from(xattrWithin(name, list(100_007, 200_008), map))).toEqual(list(7, 8));
    expect(Buffer.from(xattrOnHost(name, list(7, 8), map))).toEqual(list(100_007, 200_008));
    expect(Buffer.from(xattrWithin(name, list(7, 8), map))).toEqual(list(65_534, 65_534));
  },
);

test('other attributes, and lists that are cut, stay as they are', () => {
  expect(Buffer.from(xattrWithin('user.a', list(100_007, 8), map))).toEqual(list(100_007, 8));
  for (const length of [0, 3, 11])
    expect(xattrWithin('system.posix_acl_access', list(7, 8).subarray(0, length), map).length).toBe(length);
});
