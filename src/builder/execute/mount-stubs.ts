import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  type Stats,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { resolveInRoot } from '../../runtime/spec/root-path.ts';
import type { Ids } from '../../sys/id-map.ts';

/**
 * Places that the runtime will make in a root to mount on: those of `targets` that aren't there, with the missing directories above them.
 * To be asked before the start; deepest first.
 */
export function missingPlaces(root: string, targets: readonly string[]): string[] {
  const missing = new Set<string>();
  for (const target of targets) {
    let place = resolveInRoot(root, target);
    while (place !== root && lstatSync(place, { throwIfNoEntry: false }) === undefined) {
      missing.add(place);
      place = dirname(place);
    }
  }
  return [...missing].sort((a, b) => b.length - a.length);
}

/** Where the runtime mounts its own, made as runc makes it: crun's /dev has a sticky bit. They stay in the layer, as BuildKit's do. */
export function makeRootPlaces(root: string, owner: Ids | undefined): void {
  for (const name of ['proc', 'sys', 'dev']) {
    const place = join(root, name);
    if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(place);
    if (owner !== undefined) chownSync(place, owner.uid, owner.gid);
    chmodSync(place, 0o755);
  }
}

/**
 * Take away what was made to mount on, where the step has left it empty; the directory above keeps its times. Only once nobody works in the
 * root any more.
 */
export function removePlaces(root: string, places: readonly string[]): void {
  for (const place of places) {
    const path = place.slice(root.length);
    const now = join(resolveInRoot(root, dirname(path)), path.slice(path.lastIndexOf('/') + 1));
    const stat = statOf(now);
    if (stat === undefined || !isEmpty(now, stat)) continue;
    const above = statOf(dirname(now));
    if (stat.isDirectory()) rmdirSync(now);
    else unlinkSync(now);
    if (above !== undefined) utimesSync(dirname(now), above.atimeMs / 1000, above.mtimeMs / 1000);
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isEmpty(path: string, stat: Stats): boolean {
  if (stat.isDirectory()) return readdirSync(path).length === 0;
  return stat.isFile() && stat.size === 0;
}
