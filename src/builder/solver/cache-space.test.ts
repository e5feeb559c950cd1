import { expect, test } from 'bun:test';
import type { CacheSpace } from '../builder.ts';
import { defaultPolicies, keepBytesOf, NO_SPACE_GIVEN } from './cache-space.ts';

// What BuildKit documents of its three limits: at most, at least free, never below.
test.each<[Partial<CacheSpace>, { usedBytes: number; freeBytes: number }, number]>([
  [{}, { usedBytes: 100, freeBytes: 0 }, 0],
  [{ maxUsedBytes: 60 }, { usedBytes: 100, freeBytes: 0 }, 60],
  [{ reservedBytes: 30 }, { usedBytes: 100, freeBytes: 0 }, 30],
  [{ minFreeBytes: 10 }, { usedBytes: 100, freeBytes: 50 }, 100],
  [{ minFreeBytes: 70 }, { usedBytes: 100, freeBytes: 50 }, 80],
  [{ minFreeBytes: 500 }, { usedBytes: 100, freeBytes: 50 }, 0],
  [{ minFreeBytes: 500, reservedBytes: 40 }, { usedBytes: 100, freeBytes: 50 }, 40],
  [{ minFreeBytes: 70, maxUsedBytes: 90 }, { usedBytes: 100, freeBytes: 50 }, 80],
  [{ minFreeBytes: 70, maxUsedBytes: 60 }, { usedBytes: 100, freeBytes: 50 }, 60],
  [{ minFreeBytes: 10, maxUsedBytes: 60 }, { usedBytes: 100, freeBytes: 50 }, 60],
  [{ maxUsedBytes: 20, reservedBytes: 40 }, { usedBytes: 100, freeBytes: 50 }, 40],
])('%j of %j keeps %d', (given, disk, kept) => {
  expect(keepBytesOf({ ...NO_SPACE_GIVEN, ...given }, disk)).toBe(kept);
});

// `docker buildx inspect` of Docker 28.5 on a disk of 252 GiB: 3.346GiB; 24.21GiB, 188.1GiB, 47.5GiB.
test('the default rules are those of dockerd', () => {
  const policies = defaultPolicies(NO_SPACE_GIVEN, { totalBytes: 252 * 2 ** 30, freeBytes: 0 });
  const gib = (bytes: number): string => (bytes / 2 ** 30).toPrecision(4);
  expect(policies.map(({ all, unusedForNano = 0n }) => [all, unusedForNano / 3600_000_000_000n])).toEqual([
    [false, 48n],
    [false, 1440n],
    [false, 0n],
    [true, 0n],
  ]);
  expect(policies.map((one) => [one.reservedBytes, one.maxUsedBytes, one.minFreeBytes].map(gib))).toEqual([
    ['0.000', '3.346', '0.000'],
    ...Array.from({ length: 3 }, () => ['24.21', '188.1', '47.50']),
  ]);
  const [easy] = defaultPolicies({ ...NO_SPACE_GIVEN, reservedBytes: 1 }, { totalBytes: 1, freeBytes: 1 });
  expect(easy?.maxUsedBytes).toBe(512_000_000);
});
