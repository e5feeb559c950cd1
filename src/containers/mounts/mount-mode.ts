import { posix } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';

export const PROPAGATIONS: readonly string[] = [
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
];

/** Words after the second colon of `-v`, of which each line may come once. Labels have no effect where there is no SELinux, consistency none on Linux. */
const KINDS: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  ['z', 'Z'],
  PROPAGATIONS,
  ['nocopy'],
  ['consistent', 'cached', 'delegated'],
];

export function isMode(mode: string): boolean {
  if (mode === '') return true;
  const kinds = mode.split(',').map((word) => KINDS.findIndex((words) => words.includes(word)));
  return !kinds.includes(-1) && new Set(kinds).size === kinds.length;
}

/** @throws EngineError "invalid" in Docker's words. */
export function checkMode(mode: string): void {
  if (!isMode(mode)) throw new EngineError('invalid', `invalid mode: ${mode}`);
}

export function isReadOnly(mode: string): boolean {
  return mode.split(',').includes('ro');
}

/** Undefined where the mode says nothing of it. */
export function propagationOf(mode: string): string | undefined {
  return mode.split(',').find((word) => PROPAGATIONS.includes(word));
}

/** `/a//b/../c/` as Go's path.Clean has it. */
export function cleanPath(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, '');
}

/** Why nothing can be mounted there, in Docker's words; undefined: it can. */
export function badDestination(path: string): string | undefined {
  if (cleanPath(path.replaceAll('\\', '/')) === '/') return "invalid specification: destination can't be '/'";
  return notAbsolute(path);
}

export function notAbsolute(path: string): string | undefined {
  return path.startsWith('/') ? undefined : `invalid mount path: '${path}' mount path must be absolute`;
}

/** As Go's filepath.IsLocal: below where it is looked up, by its words alone. */
export function isLocalPath(path: string): boolean {
  if (path === '' || path.startsWith('/') || path.includes('\0')) return false;
  const clean = posix.normalize(path);
  return clean !== '..' && !clean.startsWith('../');
}
