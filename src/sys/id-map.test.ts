import { expect, test } from 'bun:test';
import { type IdMap, idMapText, idsOnHost, idsWithin, rootOf, sameIdMap, withHostRoot } from './id-map.ts';

const map: IdMap = {
  uids: [
    { containerId: 0, hostId: 100_000, size: 1000 },
    { containerId: 1000, hostId: 500_000, size: 10 },
  ],
  gids: [{ containerId: 0, hostId: 200_000, size: 65_536 }],
};

test('ids go out and in, over several ranges', () => {
  expect(idsOnHost(map, { uid: 0, gid: 5 })).toEqual({ uid: 100_000, gid: 200_005 });
  expect(idsOnHost(map, { uid: 1009, gid: 65_535 })).toEqual({ uid: 500_009, gid: 265_535 });
  expect(idsOnHost(map, { uid: 1010, gid: 0 })).toBeUndefined();
  expect(idsWithin(map, { uid: 500_000, gid: 200_007 })).toEqual({ uid: 1000, gid: 7 });
  expect(rootOf(map)).toEqual({ uid: 100_000, gid: 200_000 });
});

test('who has no id within is nobody, as the kernel shows it', () => {
  expect(idsWithin(map, { uid: 0, gid: 200_000 })).toEqual({ uid: 65_534, gid: 0 });
});

test('withHostRoot() gives the host’s root the last id, unless it has one', () => {
  expect(idMapText(withHostRoot(map).uids)).toBe('0 100000 1000\n1000 500000 10\n4294967294 0 1\n');
  const all: IdMap = { ...map, gids: [{ containerId: 0, hostId: 0, size: 65_536 }] };
  expect(withHostRoot(all).gids).toEqual(all.gids);
});

test('maps are the same by what they say', () => {
  expect(sameIdMap(map, structuredClone(map))).toBe(true);
  expect(sameIdMap(map, { ...map, gids: map.uids })).toBe(false);
  expect(sameIdMap(map, undefined)).toBe(false);
  expect(sameIdMap(undefined, undefined)).toBe(true);
});
