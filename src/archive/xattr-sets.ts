import type { Xattrs } from './entry.ts';

/** What a name and a value cost beside their bytes, as measured. */
const ENTRY_BYTES = 512;
/** Labels, ACLs and capabilities are few and small, and come again; what is more is compared with nothing. */
const MAX_SHARED_BYTES = 4096;
const MAX_SHARED_SETS = 4096;

export const noXattrs: Xattrs = new Map();

/** Gives files that have the same extended attributes the same map. */
export class XattrSets {
  readonly #sets = new Map<string, Xattrs>();

  /** The map of the first that had these: `xattrs` itself, where it is that. */
  share(xattrs: Xattrs): Xattrs {
    if (xattrs.size === 0) return noXattrs;
    if (xattrBytes(xattrs) > MAX_SHARED_BYTES) return xattrs;
    const key = keyOf(xattrs);
    const known = this.#sets.get(key);
    if (known === undefined && this.#sets.size < MAX_SHARED_SETS) this.#sets.set(key, xattrs);
    return known ?? xattrs;
  }
}

/** Memory that a map of them takes, about. */
export function xattrBytes(xattrs: Xattrs): number {
  let bytes = 0;
  for (const [name, value] of xattrs) bytes += name.length + value.length + ENTRY_BYTES;
  return bytes;
}

function keyOf(xattrs: Xattrs): string {
  return [...xattrs].map(([name, value]) => `${name}\0${value.length}\0${latin1(value)}`).join('');
}

function latin1(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
}
