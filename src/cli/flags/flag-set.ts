import { parseBool } from '../../text/parse-bool.ts';
import { parseCsv } from './csv.ts';
import { type Flag, HELP_FLAG, zeroOf } from './flag.ts';
import { parseInteger, refusalOf } from './flag-value.ts';
import { suggest } from './suggest.ts';
import { UsageError } from './usage-error.ts';

export interface ParseOptions {
  /** False: the first argument that is no flag ends the flags, as `run` needs it. */
  interspersed: boolean;
}

/** The values of a command's flags, and the arguments that are none. */
export class ParsedFlags {
  readonly args: string[] = [];
  /** Help was asked for as `-h`, which is going out of use. */
  asksBriefly = false;
  readonly #flags: Map<string, Flag>;
  readonly #values = new Map<string, string[]>();

  constructor(flags: Map<string, Flag>) {
    this.#flags = flags;
  }

  set(flag: Flag, value: string): void {
    const values = this.#values.get(flag.name) ?? [];
    const added = flag.kind === 'strings' ? parseCsv(value) : [value];
    this.#values.set(flag.name, [...values, ...added]);
  }

  /** Whether the flag was given. */
  changed(name: string): boolean {
    return this.#values.has(name);
  }

  string(name: string): string {
    return this.#values.get(name)?.at(-1) ?? this.#default(name);
  }

  bool(name: string): boolean {
    return parseBool(this.string(name)) ?? false;
  }

  int(name: string): number {
    return Number(parseInteger(this.string(name)) ?? 0n);
  }

  list(name: string): string[] {
    return [...(this.#values.get(name) ?? [])];
  }

  /** Of `key=value` flags; the last one wins. */
  map(name: string): Record<string, string> {
    return Object.fromEntries(
      this.list(name).map((entry) => {
        const at = entry.indexOf('=');
        return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
  }

  #default(name: string): string {
    const flag = this.#flags.get(name);
    return flag === undefined ? '' : (flag.default ?? zeroOf(flag.kind));
  }
}

/**
 * Parse arguments in pflag's grammar: `-it`, `-p80:80`, `-p=80:80`, `--name x`, `--name=x`, `--rm=false`, `--`.
 *
 * @throws UsageError in Docker's words.
 */
export function parseFlags(
  flags: readonly Flag[],
  args: readonly string[],
  options: ParseOptions,
): ParsedFlags {
  const byName = new Map([HELP_FLAG, ...flags].map((flag) => [flag.name, flag]));
  const shorts = flags.flatMap((flag): [string, Flag][] =>
    flag.short === undefined ? [] : [[flag.short, flag]],
  );
  const byShort = new Map([['h', HELP_FLAG], ...shorts]);
  const parsed = new ParsedFlags(byName);
  const rest = [...args];
  const context: Grammar = { byName, byShort, parsed, rest };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      parsed.args.push(...rest);
      return parsed;
    }
    if (arg.length < 2 || !arg.startsWith('-')) {
      parsed.args.push(arg);
      if (options.interspersed) continue;
      parsed.args.push(...rest);
      return parsed;
    }
    if (arg.startsWith('--')) parseLong(context, arg);
    else parseShorts(context, arg.slice(1));
  }
  return parsed;
}

interface Grammar {
  byName: Map<string, Flag>;
  byShort: Map<string, Flag>;
  parsed: ParsedFlags;
  rest: string[];
}

function parseLong(context: Grammar, arg: string): void {
  const at = arg.indexOf('=');
  const name = arg.slice(2, at < 0 ? undefined : at);
  if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${arg}`);
  const flag = context.byName.get(name);
  if (flag === undefined) {
    const near = suggest(
      name,
      [...context.byName.values()].filter((each) => each.hidden !== true).map((each) => each.name),
    );
    throw new UsageError(`unknown flag: --${name}`, { suggestions: near.map((each) => `--${each}`) });
  }
  if (at >= 0) return setValue(context, flag, arg.slice(at + 1));
  if (flag.kind === 'bool') return setValue(context, flag, 'true');
  if (flag.bareValue !== undefined) return setValue(context, flag, flag.bareValue);
  const value = context.rest.shift();
  if (value === undefined) throw new UsageError(`flag needs an argument: --${name}`);
  setValue(context, flag, value);
}

function parseShorts(context: Grammar, group: string): void {
  for (let letters = group; letters !== ''; ) {
    const letter = letters[0] ?? '';
    const flag = context.byShort.get(letter);
    if (flag === undefined) throw new UsageError(`unknown shorthand flag: '${letter}' in -${letters}`);
    if (flag === HELP_FLAG) context.parsed.asksBriefly = true;
    letters = letters.slice(1);
    if (letters.length > 1 && letters.startsWith('=')) return setValue(context, flag, letters.slice(1));
    if (flag.kind === 'bool') {
      setValue(context, flag, 'true');
      continue;
    }
    if (letters !== '') return setValue(context, flag, letters);
    const value = context.rest.shift();
    if (value === undefined) throw new UsageError(`flag needs an argument: '${letter}' in -${letter}`);
    return setValue(context, flag, value);
  }
}

function setValue({ parsed }: Grammar, flag: Flag, value: string): void {
  const reason = refusalOf(flag.kind, value) ?? flag.check?.(value);
  if (reason !== undefined) {
    const shown = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
    throw new UsageError(`invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${reason}`);
  }
  parsed.set(flag, value);
}
