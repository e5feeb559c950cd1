import { CATALOG, NOUNS } from '../catalog.ts';
import type { Command } from '../command.ts';
import { findCommand, type Target } from '../dispatch.ts';
import type { Flag } from '../flags/flag.ts';
import { parseFlags } from '../flags/flag-set.ts';
import { argumentSource } from './argument-values.ts';
import { type Completion, FILES, type Question, type Source, valuesOf } from './completion.ts';
import { flagSource } from './flag-values.ts';

/** What there is to complete with, beside the words. */
export interface CompletionPlace extends Pick<Question, 'env' | 'configDirectory' | 'client'> {
  globals: readonly Flag[];
  /** Plugins of Docker's client. */
  plugins(): Promise<{ name: string; short: string }[]>;
}

/**
 * What may stand for the last of `words`, which are a command line without the program. Values are not filtered by what was typed, except
 * commands and flags: the shell does it its own way.
 *
 * @throws UsageError on words before the last that no command takes.
 */
export async function completeWords(words: readonly string[], place: CompletionPlace): Promise<Completion> {
  const earlier = words.slice(0, -1);
  const typed = words.at(-1) ?? '';
  const line: Line = { path: '', flags: place.globals, interspersed: false, earlier, typed };
  const source = openFlag(line);
  if (source !== undefined) return ask(line, source, place);
  const { args } = parseFlags(place.globals, earlier, { interspersed: false });
  if (args.length === 0) return isFlagName(line) ? flagNames(line) : commandNames(typed, place);
  const target = findCommand(args);
  if (target.kind === 'command') return completeCommand(target, typed, place);
  if (target.kind === 'noun' && target.args.length === 0) return verbNames(target.name, typed);
  return FILES;
}

/** A command line up to the word that is completed. */
interface Line {
  /** The command's first name; of the program itself, ''. */
  path: string;
  flags: readonly Flag[];
  interspersed: boolean;
  earlier: readonly string[];
  typed: string;
}

async function completeCommand(
  { entry, args }: Target & { kind: 'command' },
  typed: string,
  place: CompletionPlace,
): Promise<Completion> {
  const { command } = await entry.load();
  const line: Line = { ...lineOf(entry.paths[0] ?? '', command), earlier: args, typed };
  const source = openFlag(line);
  if (source !== undefined) return ask(line, source, place);
  if (isFlagName(line)) return flagNames(line);
  const given = parseFlags(line.flags, args, line);
  return ask(line, argumentSource(line.path, command, given.args.length), place);
}

function lineOf(path: string, command: Command): Pick<Line, 'path' | 'flags' | 'interspersed'> {
  return { path, flags: command.flags, interspersed: command.interspersed !== false };
}

function ask(line: Line, source: Source, place: CompletionPlace): Completion | Promise<Completion> {
  const { env, configDirectory, client } = place;
  const typed = /^--[^=]+=/.test(line.typed) ? line.typed.slice(line.typed.indexOf('=') + 1) : line.typed;
  // A flag that waits for the value that is asked for is none yet.
  const words = waitingFlag(line) === undefined ? line.earlier : line.earlier.slice(0, -1);
  const given = parseFlags(line.flags, words, line);
  return source({ args: given.args, isSet: (flag) => given.bool(flag), typed, env, configDirectory, client });
}

/** Knows the value that is being typed, if it is a flag's. */
function openFlag(line: Line): Source | undefined {
  const flag = waitingFlag(line) ?? flagWithEquals(line);
  return flag === undefined ? undefined : flagSource(line.path, flag.name);
}

function waitingFlag({ flags, earlier, ...line }: Line): Flag | undefined {
  const last = earlier.at(-1) ?? '';
  const flag = last.startsWith('--') ? longFlag(flags, last.slice(2)) : shortFlag(flags, last);
  if (flag === undefined || flag.kind === 'bool' || (last.startsWith('--') && flag.bareValue !== undefined))
    return undefined;
  return takesFlags({ flags, ...line, earlier: earlier.slice(0, -1) }) ? flag : undefined;
}

function flagWithEquals(line: Line): Flag | undefined {
  const [, name] = /^--([^=]+)=/.exec(line.typed) ?? [];
  return name !== undefined && takesFlags(line) ? longFlag(line.flags, name) : undefined;
}

function longFlag(flags: readonly Flag[], name: string): Flag | undefined {
  return flags.find((flag) => flag.name === name);
}

/** The last one of `-itp`, if the ones before it take no value. */
function shortFlag(flags: readonly Flag[], group: string): Flag | undefined {
  if (!/^-[^-=]+$/.test(group)) return undefined;
  const named = Array.from(group.slice(1), (letter) => flags.find(({ short }) => short === letter));
  const last = named.pop();
  return named.every((flag) => flag?.kind === 'bool') ? last : undefined;
}

function isFlagName(line: Line): boolean {
  return line.typed.startsWith('-') && !line.typed.includes('=') && takesFlags(line);
}

/** Whether a flag may stand there: neither behind `--` or the argument that ends the flags, nor where another flag's value is due. */
function takesFlags({ flags, earlier, interspersed }: Line): boolean {
  return parseFlags(flags, [...earlier, '--help'], { interspersed }).bool('help');
}

const REPEATED: readonly Flag['kind'][] = ['list', 'strings', 'map'];

function flagNames({ flags, earlier, typed, interspersed }: Line): Completion {
  const given = parseFlags(flags, earlier, { interspersed });
  const rows = flags
    .filter((flag) => flag.hidden !== true && (!given.changed(flag.name) || REPEATED.includes(flag.kind)))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((flag) => [
      { name: `--${flag.name}`, short: flag.usage },
      ...(flag.short === undefined ? [] : [{ name: `-${flag.short}`, short: flag.usage }]),
    ]);
  return described(rows, typed);
}

async function commandNames(typed: string, place: CompletionPlace): Promise<Completion> {
  const single = CATALOG.flatMap(({ paths, short, group }) => {
    const name = paths.find((path) => !path.includes(' '));
    return name === undefined || group === undefined ? [] : [{ name, short }];
  });
  const nouns = NOUNS.filter(({ hidden }) => hidden !== true);
  const rows = [...single, ...nouns, { name: 'help', short: 'Help about the command' }];
  const others = (await place.plugins()).filter(({ name }) => rows.every((row) => row.name !== name));
  return described(
    [...rows, ...others].toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    typed,
  );
}

function verbNames(noun: string, typed: string): Completion {
  const rows = CATALOG.flatMap(({ paths, short }) => {
    const verb = paths.find((path) => path.startsWith(`${noun} `))?.slice(noun.length + 1);
    return verb === undefined ? [] : [{ name: verb, short }];
  });
  return described(
    rows.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    typed,
  );
}

function described(rows: readonly { name: string; short: string }[], typed: string): Completion {
  const fitting = rows.filter(({ name }) => name.startsWith(typed));
  return valuesOf(fitting.map(({ name, short }) => `${name}\t${short.split('\n')[0]}`));
}
