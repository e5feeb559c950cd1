import type { CachePolicy, CacheSpace } from '../builder.ts';

/** Bytes of the file system that the cache lies on. */
export interface DiskSpace {
  totalBytes: number;
  freeBytes: number;
}

export const NO_SPACE_GIVEN: CacheSpace = { reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0 };

/**
 * How many of `usedBytes` are to stay; 0: no such limit. As BuildKit: at most `maxUsedBytes`, less where that much isn't free, and never less than
 * is reserved. Where enough is free and nothing else was asked, all of it stays.
 */
export function keepBytesOf(
  { reservedBytes, maxUsedBytes, minFreeBytes }: CacheSpace,
  { usedBytes, freeBytes }: { usedBytes: number; freeBytes: number },
): number {
  if (reservedBytes <= 0 && maxUsedBytes <= 0 && minFreeBytes <= 0) return 0;
  const missing = minFreeBytes - freeBytes;
  let keep = maxUsedBytes;
  if (missing > 0) keep = keep > 0 ? Math.min(keep, usedBytes - missing) : usedBytes - missing;
  else if (minFreeBytes > 0 && keep <= 0) keep = usedBytes;
  return Math.max(keep, reservedBytes, 0);
}

const DAY_NANO = 24n * 3600n * 1_000_000_000n;
const GIB = 2 ** 30;
/** What is easily made again may take so much of the reserve, in percent: dockerd's e·π·φ. */
const EASY_PERCENT = Math.E * Math.PI * ((1 + Math.sqrt(5)) / 2);
const MIN_EASY_BYTES = 512 * 1000 ** 2;

/** Those of dockerd, one after the other; what isn't given is a share of the disk. */
export function defaultPolicies(given: CacheSpace, { totalBytes }: DiskSpace): CachePolicy[] {
  const share = (percent: number): number => (Math.floor((totalBytes * percent) / 100 / GIB) + 1) * 1000 ** 3;
  const space = {
    reservedBytes: given.reservedBytes || share(10),
    maxUsedBytes: given.maxUsedBytes || share(80),
    minFreeBytes: given.minFreeBytes || share(20),
  };
  const easyBytes = Math.max(MIN_EASY_BYTES, Math.round((space.reservedBytes / 100) * EASY_PERCENT));
  return [
    {
      all: false,
      ...NO_SPACE_GIVEN,
      maxUsedBytes: easyBytes,
      filters: ['type==source.local', 'type==exec.cachemount', 'type==source.git.checkout'],
      unusedForNano: 2n * DAY_NANO,
    },
    { all: false, ...space, unusedForNano: 60n * DAY_NANO },
    { all: false, ...space },
    { all: true, ...space },
  ];
}
