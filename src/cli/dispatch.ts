import { CATALOG, NOUNS } from './catalog.ts';
import type { CatalogEntry } from './command.ts';
import { suggest } from './flags/suggest.ts';
import { UsageError } from './flags/usage-error.ts';
import { findUnbuilt, unbuiltNames } from './unbuilt-commands.ts';

export type Target =
  | { kind: 'command'; entry: CatalogEntry; path: string; args: string[] }
  | { kind: 'noun'; name: string; args: string[] }
  | { kind: 'unbuilt'; path: string; instead: string }
  | { kind: 'unknown'; path: string; noun: string | undefined; suggestions: string[] };

/** Which command the words name, and what is left for it. */
export function findCommand(words: readonly string[]): Target {
  const [first = '', second] = words;
  const single = entryOf(first);
  if (single !== undefined) return { kind: 'command', entry: single, path: first, args: words.slice(1) };
  const noun = NOUNS.find((each) => each.name === first);
  const unbuilt = findUnbuilt(words);
  if (noun === undefined && unbuilt !== undefined) return { kind: 'unbuilt', ...unbuilt };
  if (noun === undefined)
    return { kind: 'unknown', path: first, noun: undefined, suggestions: suggest(first, topLevelNames()) };
  if (second === undefined || second.startsWith('-'))
    return { kind: 'noun', name: first, args: words.slice(1) };
  const path = `${first} ${second}`;
  const entry = entryOf(path);
  if (entry !== undefined) return { kind: 'command', entry, path, args: words.slice(2) };
  if (unbuilt !== undefined) return { kind: 'unbuilt', ...unbuilt };
  return { kind: 'unknown', path, noun: first, suggestions: suggest(second, verbsOf(first)) };
}

function entryOf(path: string): CatalogEntry | undefined {
  return CATALOG.find(
    ({ paths, hiddenPaths }) => paths.includes(path) || hiddenPaths?.includes(path) === true,
  );
}

function topLevelNames(): string[] {
  const singles = CATALOG.flatMap((entry) => entry.paths.filter((path) => !path.includes(' ')));
  return [...new Set([...singles, ...NOUNS.map((noun) => noun.name), ...unbuiltNames(), 'help'])];
}

function verbsOf(noun: string): string[] {
  return CATALOG.flatMap((entry) =>
    entry.paths.filter((path) => path.startsWith(`${noun} `)).map((path) => path.slice(noun.length + 1)),
  );
}

/** @throws UsageError in Docker's words when the number of arguments is wrong. */
export function checkArguments(
  count: number,
  { program, path, min, max }: { program: string; path: string; min: number; max: number | undefined },
): void {
  if (count >= min && (max === undefined || count <= max)) return;
  const name = `'${program} ${path}'`;
  const plural = (number: number) => `${number} argument${number === 1 ? '' : 's'}`;
  if (max === 0) throw new UsageError(`${program}: ${name} accepts no arguments`);
  if (max === min) throw new UsageError(`${program}: ${name} requires ${plural(min)}`);
  if (count < min && max === undefined)
    throw new UsageError(`${program}: ${name} requires at least ${plural(min)}`);
  if (min === 0) throw new UsageError(`${program}: ${name} requires at most ${plural(max ?? 0)}`);
  throw new UsageError(`${program}: ${name} requires at least ${min} and at most ${plural(max ?? 0)}`);
}
