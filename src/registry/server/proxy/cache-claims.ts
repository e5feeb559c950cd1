import { EngineError } from '../../../errors/engine-error.ts';
import type { Digest } from '../../../oci/digest.ts';

/** Room for one blob that is being fetched. */
export interface CacheClaim {
  /** Room for so many bytes in all. True: some of it was taken now. @throws EngineError "invalid" code size-exceeded */
  grow(bytes: number): boolean;
  end(): void;
}

/** How much room a blob of unknown size takes ahead, so that there is one collection for so much and not one for each piece. */
const STEP_BYTES = 16 << 20;

interface OpenClaim {
  digest: Digest;
  sizeBytes: number | undefined;
  bytes: number;
}

/** What is being fetched at this moment: together never more than the whole cache may hold. */
export class CacheClaims {
  readonly #maxBytes: number;
  readonly #open = new Set<OpenClaim>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get totalBytes(): number {
    let total = 0;
    for (const { bytes } of this.#open) total += bytes;
    return total;
  }

  has(digest: Digest): boolean {
    return [...this.#open].some((claim) => claim.digest === digest);
  }

  /** `sizeBytes` undefined: as large as there is room for. Undefined: others leave none, and it is not to be had `anyhow`. */
  claim(digest: Digest, sizeBytes: number | undefined, anyhow = false): CacheClaim | undefined {
    if (!anyhow && this.totalBytes + (sizeBytes ?? 0) > this.#maxBytes) return undefined;
    const claim = { digest, sizeBytes, bytes: sizeBytes ?? 0 };
    this.#open.add(claim);
    return { grow: (bytes) => this.#grow(claim, bytes), end: () => void this.#open.delete(claim) };
  }

  #grow(claim: OpenClaim, bytes: number): boolean {
    if (bytes <= claim.bytes) return false;
    const limit = claim.sizeBytes ?? claim.bytes + this.#maxBytes - this.totalBytes;
    if (bytes > limit)
      throw new EngineError('invalid', `Cannot keep blob ${claim.digest}: it has more than ${limit} bytes`, {
        code: 'size-exceeded',
      });
    claim.bytes = Math.min(bytes + STEP_BYTES, limit);
    return true;
  }
}
