import type { CliContext } from '../../../context.ts';
import type { ParsedFlags } from '../../../flags/flag-set.ts';
import { readKeyValueFile } from './text-files.ts';

/** What `--env-file` and `-e` say, files first. @throws EngineError "invalid" for a file that can't be read or makes no sense. */
export async function readEnvironment(flags: ParsedFlags, { env }: CliContext): Promise<string[]> {
  const lookup = (key: string) => env[key];
  const entries: string[] = [];
  for (const file of flags.list('env-file')) entries.push(...(await readKeyValueFile(file, lookup)));
  // Of several `-e` for one name the last counts; a name alone takes its value from our own environment.
  const given = new Map<string, string>();
  for (const entry of flags.list('env')) {
    const name = entry.split('=', 1)[0] ?? '';
    given.set(name, entry.includes('=') || env[name] === undefined ? entry : `${name}=${env[name]}`);
  }
  return [...entries, ...given.values()];
}
