import { expect, test } from 'bun:test';
import { buildCacheSettings } from './build-cache-settings.ts';

const GIB = 2 ** 30;
const none = { reservedBytes: 0, maxUsedBytes: 0, minFreeBytes: 0 };

test('without builder.gc the default rules stand', () => {
  expect(buildCacheSettings(undefined)).toEqual({ enabled: true, space: none, policies: undefined });
  expect(buildCacheSettings({ gc: { enabled: false } })).toMatchObject({ enabled: false });
});

test('sizes are dockerd’s, under their older names too', () => {
  const space = (gc: object) => buildCacheSettings({ gc }).space;
  expect(space({ defaultKeepStorage: '20GB' })).toEqual({ ...none, reservedBytes: 20 * GIB });
  expect(space({ defaultReservedSpace: '1GiB', defaultKeepStorage: '2GB' })).toMatchObject({
    reservedBytes: GIB,
  });
  expect(space({ defaultMaxUsedSpace: '1.5g', defaultMinFreeSpace: '512 MB' })).toEqual({
    reservedBytes: 0,
    maxUsedBytes: 1.5 * GIB,
    minFreeBytes: GIB / 2,
  });
});

// The example of Docker's documentation.
test('rules are read in their order', () => {
  const policy = [
    { keepStorage: '10GB', filter: ['unused-for=2200h'] },
    { maxUsedSpace: '50GB', minFreeSpace: '5GB', filter: ['unused-for=3300h', 'type=exec.cachemount'] },
    { reservedSpace: '100GB', all: true },
  ];
  expect(buildCacheSettings({ gc: { enabled: true, policy } }).policies).toEqual([
    {
      ...none,
      all: false,
      reservedBytes: 10 * GIB,
      filters: [],
      unusedForNano: 2200n * 3600_000_000_000n,
    },
    {
      all: false,
      reservedBytes: 0,
      maxUsedBytes: 50 * GIB,
      minFreeBytes: 5 * GIB,
      filters: ['type=="exec.cachemount"'],
      unusedForNano: 3300n * 3600_000_000_000n,
    },
    { ...none, all: true, reservedBytes: 100 * GIB, filters: [] },
  ]);
});

test.each<[object, string]>([
  [
    { gc: { defaultKeepStorage: 'much' } },
    'invalid builder.gc.defaultKeepStorage: must be a size such as 20GB',
  ],
  [{ gc: { policy: {} } }, 'invalid builder.gc.policy: must be an array'],
  [{ gc: { policy: [{ minFreeSpace: '-' }] } }, 'invalid builder.gc.policy[0].minFreeSpace'],
  [{ gc: { policy: [{ all: 1 }] } }, 'invalid builder.gc.policy[0].all: must be true or false'],
  [
    { gc: { policy: [{ filter: ['nope=x'] }] } },
    "builder.gc.policy[0].filter: failed to prune build cache: invalid filter 'nope'",
  ],
  [
    { gc: { policy: [{ filter: ['until'] }] } },
    'builder.gc.policy[0].filter: must be of the form name=value',
  ],
])('%j is refused', (builder, message) => {
  expect(() => buildCacheSettings(builder)).toThrow(message);
});
