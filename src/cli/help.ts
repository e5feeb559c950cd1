import { CATALOG, NOUNS } from './catalog.ts';
import type { CatalogEntry, Command } from './command.ts';
import type { Flag } from './flags/flag.ts';
import { flagUsages } from './flags/flag-usages.ts';

export interface HelpOptions {
  program: string;
  columns: number;
}

const DEFAULT_COLUMNS = 80;

/** `Usage:  docker run [OPTIONS] IMAGE …` */
export function usageLine(program: string, path: string, command: Command): string {
  return command.usage
    .split('\n')
    .map(
      (usage, index) =>
        `${index === 0 ? 'Usage:  ' : '\t'}${program} ${path}${usage === '' ? '' : ` ${usage}`}`,
    )
    .join('\n');
}

/** The help of one command, called by `path`. */
export function commandHelp(
  { program, columns }: HelpOptions,
  { path, entry, command }: { path: string; entry: CatalogEntry; command: Command },
): string {
  const shown = path.startsWith(`${nounOf(path) ?? ''} `) ? (entry.paths[0] ?? path) : path;
  const parts = [`${usageLine(program, shown, command)}\n`, `\n${command.long ?? entry.short}\n`];
  if (entry.paths.length > 1)
    parts.push(`\nAliases:\n  ${entry.paths.map((alias) => `${program} ${alias}`).join(', ')}\n`);
  const flags = command.flags.filter((flag) => flag.hidden !== true);
  if (flags.length > 0) parts.push(`\nOptions:\n${flagUsages(command.flags, width(columns))}`);
  if (command.examples !== undefined)
    parts.push(`\nExamples:\n${command.examples.map((example) => `  ${program} ${example}\n`).join('')}`);
  return parts.join('');
}

function width(columns: number): number {
  return (columns > 0 ? columns : DEFAULT_COLUMNS) - 1;
}

function nounOf(path: string): string | undefined {
  return NOUNS.find((noun) => path.startsWith(`${noun.name} `))?.name;
}

/** The help of a noun: its verbs. */
export function nounHelp(program: string, name: string): string {
  const noun = NOUNS.find((each) => each.name === name);
  const verbs = CATALOG.flatMap((entry) => {
    const first = entry.paths[0] ?? '';
    return first.startsWith(`${name} `) ? [{ name: first.slice(name.length + 1), short: entry.short }] : [];
  });
  return (
    `Usage:  ${program} ${name} COMMAND\n\n${noun?.short ?? ''}\n\nCommands:\n${listing(verbs)}` +
    `\nRun '${program} ${name} COMMAND --help' for more information on a command.\n`
  );
}

/** The help of the program. */
export function programHelp(
  { program, columns }: HelpOptions,
  { flags, plugins }: { flags: readonly Flag[]; plugins: readonly { name: string; short: string }[] },
): string {
  const isPlugin = (name: string) => plugins.some((plugin) => plugin.name === `${name}*`);
  const short = (entry: CatalogEntry) => ({ name: entry.paths.at(-1) ?? '', short: entry.short });
  const common = CATALOG.filter((entry) => entry.group === 'common').map(short);
  const others = CATALOG.filter((entry) => entry.group === 'command').map(short);
  return [
    `Usage:  ${program} [OPTIONS] COMMAND\n`,
    '\nContainers, images and networks, from the command line\n',
    `\nCommon Commands:\n${listing(common, false)}`,
    `\nManagement Commands:\n${listing([...NOUNS.filter(({ name, hidden }) => hidden !== true && !isPlugin(name)), ...plugins])}`,
    `\nCommands:\n${listing(others)}`,
    `\nGlobal Options:\n${flagUsages(flags, width(columns))}`,
    `\nRun '${program} COMMAND --help' for more information on a command.\n`,
  ].join('');
}

function listing(rows: { name: string; short: string }[], sorted = true): string {
  const widest = Math.max(11, ...rows.map((row) => row.name.length));
  const ordered = sorted ? rows.toSorted((a, b) => (a.name < b.name ? -1 : 1)) : rows;
  return ordered.map((row) => `  ${row.name.padEnd(widest)} ${row.short}\n`).join('');
}
