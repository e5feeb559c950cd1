/** Extended attribute of a file that has capabilities (capabilities(7)). */
export const CAPABILITY_XATTR = 'security.capability';

/** struct vfs_cap_data and vfs_ns_cap_data (linux/capability.h): the revision in the highest byte, the namespace's root at the end. */
const REVISION_BYTE = 3;
const PLAIN = { revision: 2, length: 20 } as const;
const OWNED = { revision: 3, length: 24 } as const;

/** A capability as it is to be on the host for a file of the namespace whose root has the host's id `rootUid`. */
export function ownedCapability(value: Uint8Array, rootUid: number): Uint8Array {
  if (value.length !== PLAIN.length || value[REVISION_BYTE] !== PLAIN.revision) return value;
  const owned = Buffer.alloc(OWNED.length);
  owned.set(value);
  owned[REVISION_BYTE] = OWNED.revision;
  owned.writeUInt32LE(rootUid, PLAIN.length);
  return owned;
}

/** The inverse: the id means nothing to whoever gets the file next. Another namespace's stays as it is. */
export function plainCapability(value: Uint8Array, rootUid: number): Uint8Array {
  if (value.length !== OWNED.length || value[REVISION_BYTE] !== OWNED.revision) return value;
  if (Buffer.from(value).readUInt32LE(PLAIN.length) !== rootUid) return value;
  const plain = Buffer.from(value.subarray(0, PLAIN.length));
  plain[REVISION_BYTE] = PLAIN.revision;
  return plain;
}
