import { expect, test } from 'bun:test';
import type { ChainId, DiffId, Digest } from '../../oci/digest.ts';
import { parseCacheFilters } from './cache-filter.ts';
import type { CacheRecord } from './cache-record.ts';

const layer: CacheRecord['layer'] = {
  chainId: 'sha256:c' as ChainId,
  diffId: 'sha256:d' as DiffId,
  descriptor: { mediaType: 'x', digest: 'sha256:d' as Digest, size: 1 },
  tarSize: 1,
  createdNano: 0n,
};
const record = (change: Partial<CacheRecord>): CacheRecord => ({
  id: 'abc',
  key: 'k',
  kind: 'regular',
  parent: undefined,
  layer,
  sizeBytes: 1,
  description: '[2/2] RUN npm ci',
  createdNano: 0n,
  usedNano: 0n,
  uses: 1,
  ...change,
});
const records = [
  record({ id: 'layer', description: '[2/2] RUN npm ci' }),
  record({ id: 'busy', description: '[3/3] COPY a, "b" /' }),
  record({ id: 'mount', kind: 'exec.cachemount', layer: undefined, description: 'cached mount /root/.npm' }),
  record({ id: 'sent', kind: 'source.local', layer: undefined, description: 'local source for context' }),
  record({ id: 'fetched', layer: undefined, description: 'http url http://h/f' }),
];
const found = (filters: string[]) => {
  const matches = parseCacheFilters(filters);
  return records
    .filter((one) => matches(one, { inUse: one.id === 'busy', shared: one.id === 'busy' }))
    .map(({ id }) => id);
};

// As containerd's filters over what BuildKit tells of a record.
test.each<[string[], string[]]>([
  [[], ['layer', 'busy', 'mount', 'sent', 'fetched']],
  [[''], ['layer', 'busy', 'mount', 'sent', 'fetched']],
  [['type==exec.cachemount'], ['mount']],
  [['type!=exec.cachemount'], ['layer', 'busy', 'sent', 'fetched']],
  // Docker 28.5 has downloads as mutable records of the type `regular`.
  [['type==regular'], ['layer', 'busy', 'fetched']],
  [['type==regular,mutable'], ['fetched']],
  [
    ['type==exec.cachemount', 'type==source.local'],
    ['mount', 'sent'],
  ],
  [['type==exec.cachemount,id==sent'], []],
  [['id~=^(la|se)'], ['layer', 'sent']],
  [['description~=npm'], ['layer', 'mount']],
  [['description~=npm,type==regular'], ['layer']],
  [['description=="[3/3] COPY a, \\"b\\" /"'], ['busy']],
  [['inuse'], ['busy']],
  [['mutable'], ['mount', 'sent', 'fetched']],
  [['immutable'], ['layer', 'busy']],
  [['private'], ['layer', 'mount', 'sent', 'fetched']],
  [['shared'], ['busy']],
  [['inuse==true'], []],
  [['nobody==knows'], []],
  [['nobody!=knows'], ['layer', 'busy', 'mount', 'sent', 'fetched']],
  [['id~=zz['], []],
])('%j selects %j', (filters, ids) => {
  expect(found(filters)).toEqual(ids);
});

test.each(['==x', 'type=exec', 'type==a b"', ',', '!', `id==${'x'.repeat(5000)}`])(
  '%j is refused',
  (filter) => {
    if (filter === 'type==a b"') return expect(found([filter])).toEqual([]);
    expect(() => parseCacheFilters([filter])).toThrow('failed to parse filter');
  },
);

test('a pattern that repeats what is repeated holds nobody up', () => {
  const matches = parseCacheFilters(['description~="^(a+)+$"']);
  const state = { inUse: false, shared: false };
  expect(matches(record({ description: `${'a'.repeat(3000)}!` }), state)).toBe(false);
  expect(matches(record({ description: 'aaa' }), state)).toBe(true);
});
