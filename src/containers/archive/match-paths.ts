import { readdirSync } from 'node:fs';
import { comparePathBytes, decodePath } from '../../archive/path-bytes.ts';
import { fsPath, statNode } from '../../snapshots/node-attributes.ts';
import { NamePattern } from './name-pattern.ts';

/**
 * Paths of this process's root that fit a pattern, sorted. Each of its parts is a `NamePattern`, or a name.
 *
 * @param limit paths at most; more are left out
 */
export function matchPaths(pattern: string, limit: number): string[] {
  let places = [''];
  for (const part of pattern.split('/').filter((one) => one !== '' && one !== '.')) {
    const names = new NamePattern(part);
    places = places.flatMap((place) =>
      names.literal === undefined ? namesIn(place, names) : [`${place}/${names.literal}`],
    );
    if (places.length > limit) places.length = limit;
  }
  return places.filter((place) => place !== '' && statNode(place) !== undefined);
}

function namesIn(directory: string, pattern: NamePattern): string[] {
  let names: string[];
  try {
    names = readdirSync(fsPath(`${directory}/`), { encoding: 'buffer' }).map(decodePath);
  } catch {
    // No directory, or gone: nothing in it fits.
    return [];
  }
  return names
    .filter((name) => pattern.matches(name))
    .sort(comparePathBytes)
    .map((name) => `${directory}/${name}`);
}
