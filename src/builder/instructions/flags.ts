import { DockerfileError } from '../parser/dockerfile-error.ts';
import { didYouMean } from './suggest.ts';

/** What a flag of an instruction takes: `--x` or `--x=true`; one value; a value each time. */
export type FlagKind = 'bool' | 'string' | 'strings';

/** The flags of one instruction as they were given. */
export interface GivenFlags {
  /** Names without `--`, each once, in the order of the file. */
  readonly used: readonly string[];
  /** Undefined when not given. */
  bool(name: string): boolean | undefined;
  /** '' when not given. */
  string(name: string): string;
  strings(name: string): readonly string[];
}

/** @throws DockerfileError without a range, in BuildKit's words. */
export function readFlags(
  flags: readonly string[],
  known: Readonly<Record<string, FlagKind>> = {},
): GivenFlags {
  const values = new Map<string, string[]>();
  for (const flag of flags) {
    const { name, value } = cutFlag(flag);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) {
      throw new DockerfileError(`unknown flag: --${name}${didYouMean(name, Object.keys(known))}`);
    }
    const given = values.get(name) ?? [];
    if (given.length > 0 && kind !== 'strings')
      throw new DockerfileError(`duplicate flag specified: --${name}`);
    given.push(kind === 'bool' ? boolValue(name, value) : requireValue(name, value));
    values.set(name, given);
  }
  return {
    used: [...values.keys()],
    bool: (name) => (values.has(name) ? values.get(name)?.[0] === 'true' : undefined),
    string: (name) => values.get(name)?.[0] ?? '',
    strings: (name) => values.get(name) ?? [],
  };
}

function cutFlag(flag: string): { name: string; value: string | undefined } {
  if (!flag.startsWith('--')) throw new DockerfileError(`arg should start with -- : ${flag}`);
  const at = flag.indexOf('=');
  return at < 0
    ? { name: flag.slice(2), value: undefined }
    : { name: flag.slice(2, at), value: flag.slice(at + 1) };
}

function requireValue(name: string, value: string | undefined): string {
  if (value === undefined) throw new DockerfileError(`missing a value on flag: --${name}`);
  return value;
}

function boolValue(name: string, value: string | undefined): string {
  if (value === undefined) return 'true';
  if (value === '') throw new DockerfileError(`missing a value on flag: --${name}`);
  const lower = value.toLowerCase();
  if (lower === 'true' || lower === 'false') return lower;
  throw new DockerfileError(`expecting boolean value for flag --${name}, not: ${value}`);
}
