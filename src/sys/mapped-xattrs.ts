import { CAPABILITY_XATTR, ownedCapability, plainCapability } from './file-capability.ts';
import { type IdMap, type Ids, idsOnHost, idsWithin, rootOf } from './id-map.ts';

const ACCESS_LISTS = new Set(['system.posix_acl_access', 'system.posix_acl_default']);
/** struct posix_acl_xattr_header and _entry (linux/posix_acl_xattr.h); only these tags have an id. */
const HEADER_LENGTH = 4;
const ENTRY_LENGTH = 8;
const TAG = { user: 0x02, group: 0x08 } as const;

/** An attribute as it is read on the host, of a file that is a container's: as those within see it. */
export function xattrWithin(name: string, value: Uint8Array, map: IdMap): Uint8Array {
  if (name === CAPABILITY_XATTR) return plainCapability(value, rootOf(map).uid);
  return ACCESS_LISTS.has(name) ? withIds(value, (ids) => idsWithin(map, ids)) : value;
}

/** The inverse. Of whom the container hasn't got, the lists keep the number, which means nobody there. */
export function xattrOnHost(name: string, value: Uint8Array, map: IdMap): Uint8Array {
  if (name === CAPABILITY_XATTR) return ownedCapability(value, rootOf(map).uid);
  return ACCESS_LISTS.has(name) ? withIds(value, (ids) => idsOnHost(map, ids) ?? ids) : value;
}

function withIds(value: Uint8Array, change: (ids: Ids) => Ids): Uint8Array {
  const list = Buffer.from(value);
  for (let at = HEADER_LENGTH; at + ENTRY_LENGTH <= list.length; at += ENTRY_LENGTH) {
    const tag = list.readUInt16LE(at);
    const id = list.readUInt32LE(at + 4);
    if (tag === TAG.user) list.writeUInt32LE(change({ uid: id, gid: 0 }).uid, at + 4);
    if (tag === TAG.group) list.writeUInt32LE(change({ uid: 0, gid: id }).gid, at + 4);
  }
  return list;
}
