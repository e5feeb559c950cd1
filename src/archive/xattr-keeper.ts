import { hostileArchive } from './archive-error.ts';
import type { Xattrs } from './entry.ts';
import type { TarLimits } from './tar-limits.ts';
import { XattrSets, xattrBytes } from './xattr-sets.ts';

/** Bounds the extended attributes of an archive; members that have the same ones share them. */
export class XattrKeeper {
  readonly #limits: TarLimits;
  readonly #sets = new XattrSets();
  #bytes = 0;

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** @throws EngineError "invalid" code archive-hostile when they are more than a member, or than an archive, may have. */
  keep(xattrs: Xattrs, member: string): Xattrs {
    this.#checkNames(xattrs, member);
    const shared = this.#sets.share(xattrs);
    if (shared !== xattrs) return shared;
    const { allXattrBytes } = this.#limits;
    this.#bytes += xattrBytes(xattrs);
    if (this.#bytes <= allXattrBytes) return xattrs;
    const reason = `extended attributes of the archive are larger than ${allXattrBytes} bytes`;
    throw hostileArchive(member, reason);
  }

  #checkNames(xattrs: Xattrs, member: string): void {
    const { xattrListBytes } = this.#limits;
    let bytes = 0;
    for (const name of xattrs.keys()) bytes += Buffer.byteLength(name) + 1;
    if (bytes <= xattrListBytes) return;
    throw hostileArchive(member, `names of extended attributes are longer than ${xattrListBytes} bytes`);
  }
}
