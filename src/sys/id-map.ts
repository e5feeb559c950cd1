/** Ids `containerId`, `containerId + 1`, … of a user namespace are the host's `hostId`, `hostId + 1`, …; `size` of them. */
export interface IdRange {
  containerId: number;
  hostId: number;
  size: number;
}

/** The ids of a user namespace. Plain data, kept in containers' records. */
export interface IdMap {
  uids: IdRange[];
  gids: IdRange[];
}

export interface Ids {
  uid: number;
  gid: number;
}

export function sameIds(one: Ids, other: Ids): boolean {
  return one.uid === other.uid && one.gid === other.gid;
}

/** What the kernel shows in the place of an id that a namespace hasn't got (/proc/sys/kernel/overflowuid). */
const OVERFLOW_ID = 65534;
/** The highest id that is one. */
const LAST_ID = 2 ** 32 - 2;

/** Owner on the host; undefined: the namespace has no such id. */
export function idsOnHost(map: IdMap, { uid, gid }: Ids): Ids | undefined {
  const [hostUid, hostGid] = [onHost(map.uids, uid), onHost(map.gids, gid)];
  return hostUid === undefined || hostGid === undefined ? undefined : { uid: hostUid, gid: hostGid };
}

/** Owner as seen from within: what has no id there is nobody's. */
export function idsWithin(map: IdMap, { uid, gid }: Ids): Ids {
  return { uid: within(map.uids, uid) ?? OVERFLOW_ID, gid: within(map.gids, gid) ?? OVERFLOW_ID };
}

/** Whom on the host the namespace's root is. Every map has one: it begins at 0. */
export function rootOf(map: IdMap): Ids {
  return { uid: map.uids[0]?.hostId ?? OVERFLOW_ID, gid: map.gids[0]?.hostId ?? OVERFLOW_ID };
}

/**
 * The map for a mount that the engine itself writes to, as overlayfs does to its upper directory with the credentials of who mounted it: the
 * kernel makes no file for an owner without an id, and the host's root has none in a container's map. It gets the last one there is, which is
 * nobody's, and on disk marks what belongs to no container's user: whiteouts, and overlayfs's own directories.
 */
export function withHostRoot(map: IdMap): IdMap {
  return { uids: withRoot(map.uids), gids: withRoot(map.gids) };
}

function withRoot(ranges: readonly IdRange[]): IdRange[] {
  if (within(ranges, 0) !== undefined) return [...ranges];
  return [...ranges, { containerId: LAST_ID, hostId: 0, size: 1 }];
}

/** As /proc/PID/uid_map takes it. */
export function idMapText(ranges: readonly IdRange[]): string {
  return ranges.map(({ containerId, hostId, size }) => `${containerId} ${hostId} ${size}\n`).join('');
}

export function sameIdMap(one: IdMap | undefined, other: IdMap | undefined): boolean {
  return idMapKey(one) === idMapKey(other);
}

/** The same for the same map; '' for none. */
export function idMapKey(map: IdMap | undefined): string {
  return map === undefined ? '' : `${idMapText(map.uids)}/${idMapText(map.gids)}`;
}

function onHost(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ containerId, size }) => id >= containerId && id < containerId + size);
  return range === undefined ? undefined : id - range.containerId + range.hostId;
}

function within(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ hostId, size }) => id >= hostId && id < hostId + size);
  return range === undefined ? undefined : id - range.hostId + range.containerId;
}
