import { EngineError } from '../../errors/engine-error.ts';
import type { IdRange } from '../../sys/id-map.ts';

/** A line of /etc/subuid or /etc/subgid: ids on the host that belong to a user. */
export interface SubIds {
  user: string;
  start: number;
  count: number;
}

/** Of a range that is made for `default`, as usermod(8) and Docker have it. */
const NEW_COUNT = 65_536;
const FIRST_START = 100_000;
const MAX_IDS = 2 ** 32 - 1;
/** UID_GID_MAP_MAX_EXTENTS (linux/user_namespace.h), less one for the host's root in maps of mounts. */
const MAX_RANGES = 339;

/**
 * The text of /etc/subuid or /etc/subgid (subuid(5)).
 *
 * @throws EngineError "invalid" in Docker's words for a line that is none.
 */
export function parseSubIds(text: string, path: string): SubIds[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const parts = line.split(':');
      const [user = '', start = '', count = ''] = parts;
      if (parts.length !== 3)
        throw new EngineError(
          'invalid',
          `Cannot parse subuid/gid information: Format not correct for ${path} file`,
        );
      return { user, start: id(start, path), count: id(count, path) };
    });
}

function id(text: string, path: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= MAX_IDS) return value;
  throw new EngineError(
    'invalid',
    `String to int conversion failed during subuid/gid parsing of ${path}: ${JSON.stringify(text)}`,
  );
}

/**
 * One map of all ranges of a user, by number or else by name, in the file's order. Undefined: there are none.
 *
 * @throws EngineError "invalid" for more than a namespace can have, or ranges that overlap.
 */
export function subIdMap(
  ids: readonly SubIds[],
  user: { uid: number; name: string },
  path: string,
): IdRange[] | undefined {
  const byNumber = ids.filter((one) => one.user === String(user.uid));
  const own = (byNumber.length > 0 ? byNumber : ids.filter((one) => one.user === user.name)).filter(
    ({ count }) => count > 0,
  );
  if (own.length === 0) return undefined;
  if (own.length > MAX_RANGES)
    throw new EngineError(
      'invalid',
      `${path}: user ${JSON.stringify(user.name)} has over ${MAX_RANGES} ranges`,
    );
  checkDisjoint(own, path);
  let containerId = 0;
  return own.map(({ start, count }) => {
    const range = { containerId, hostId: start, size: count };
    containerId += count;
    return range;
  });
}

/** The kernel takes no id twice, and none past the last. */
function checkDisjoint(ids: readonly SubIds[], path: string): void {
  let end = 0;
  for (const { user, start, count } of ids.toSorted((a, b) => a.start - b.start)) {
    if (start < end || start + count > MAX_IDS)
      throw new EngineError(
        'invalid',
        `${path}: the range ${start}:${count} of user ${JSON.stringify(user)} overlaps another one, or ends past the last id`,
      );
    end = start + count;
  }
}

/** Where nobody has ids, for a new range. */
export function freeRange(ids: readonly SubIds[]): { first: number; last: number } {
  let first = FIRST_START;
  for (const { start, count } of ids.toSorted((a, b) => a.start - b.start))
    if (start < first + NEW_COUNT && start + count > first) first = start + count;
  return { first, last: first + NEW_COUNT - 1 };
}
