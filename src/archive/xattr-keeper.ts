import { hostileArchive } from './archive-error.ts';
import type { Xattrs } from './entry.ts';
import type { TarLimits } from './tar-limits.ts';

type XattrLimits = Pick<TarLimits, 'xattrListBytes' | 'allXattrBytes'>;

/** What a name and a value cost beside their bytes, as measured. */
const ENTRY_BYTES = 512;
/** Labels, ACLs and capabilities are few and small, and come again; what is more is compared with nothing. */
const MAX_SHARED_BYTES = 4096;
const MAX_SHARED_SETS = 4096;

const none: Xattrs = new Map();

/** Bounds the extended attributes of an archive, and gives members that have the same ones the same map. */
export class XattrKeeper {
  readonly #limits: XattrLimits;
  readonly #sets = new Map<string, Xattrs>();
  #bytes = 0;

  constructor(limits: XattrLimits) {
    this.#limits = limits;
  }

  /** @throws EngineError "invalid" code archive-hostile when they are more than a member, or than an archive, may have. */
  keep(xattrs: Xattrs, member: string): Xattrs {
    if (xattrs.size === 0) return none;
    const bytes = this.#checkedBytes(xattrs, member);
    const key = bytes <= MAX_SHARED_BYTES ? keyOf(xattrs) : undefined;
    const known = key === undefined ? undefined : this.#sets.get(key);
    if (known !== undefined) return known;
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.allXattrBytes)
      throw hostileArchive(
        member,
        `extended attributes of the archive are larger than ${this.#limits.allXattrBytes} bytes`,
      );
    if (key !== undefined && this.#sets.size < MAX_SHARED_SETS) this.#sets.set(key, xattrs);
    return xattrs;
  }

  #checkedBytes(xattrs: Xattrs, member: string): number {
    let names = 0;
    let bytes = 0;
    for (const [name, value] of xattrs) {
      names += Buffer.byteLength(name) + 1;
      bytes += name.length + value.length + ENTRY_BYTES;
    }
    if (names > this.#limits.xattrListBytes) {
      const reason = `names of extended attributes are longer than ${this.#limits.xattrListBytes} bytes`;
      throw hostileArchive(member, reason);
    }
    return bytes;
  }
}

function keyOf(xattrs: Xattrs): string {
  return [...xattrs].map(([name, value]) => `${name}\0${value.length}\0${latin1(value)}`).join('');
}

function latin1(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
}
