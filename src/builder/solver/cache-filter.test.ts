import { expect, test } from 'bun:test';
import { parseCacheFilters } from './cache-filter.ts';
import type { CacheRecord } from './cache-record.ts';

const record = (change: Partial<CacheRecord>): CacheRecord => ({
  id: 'abc',
  key: 'k',
  kind: 'regular',
  parent: undefined,
  layer: undefined,
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
  record({ id: 'mount', kind: 'exec.cachemount', description: 'cached mount /root/.npm' }),
  record({ id: 'sent', kind: 'source.local', description: 'local source for context' }),
];
const found = (filters: string[]) => {
  const matches = parseCacheFilters(filters);
  return records.filter((one) => matches(one, one.id === 'busy')).map(({ id }) => id);
};

// As containerd's filters over what BuildKit tells of a record.
test.each<[string[], string[]]>([
  [[], ['layer', 'busy', 'mount', 'sent']],
  [[''], ['layer', 'busy', 'mount', 'sent']],
  [['type==exec.cachemount'], ['mount']],
  [['type!=exec.cachemount'], ['layer', 'busy', 'sent']],
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
  [['mutable'], ['mount', 'sent']],
  [['immutable'], ['layer', 'busy']],
  [['private'], ['layer', 'busy', 'mount', 'sent']],
  [['shared'], []],
  [['inuse==true'], []],
  [['nobody==knows'], []],
  [['nobody!=knows'], ['layer', 'busy', 'mount', 'sent']],
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

test.each(['(a+)+$', '(a|a)*$', 'a*a*a*b', '(a?){30}', 'a{1,9}a{1,9}a{1,9}'])(
  'the pattern %j, which could take for ever, is refused',
  (pattern) => {
    expect(() => parseCacheFilters([`description~="${pattern}"`])).toThrow('repeats too much');
  },
);
