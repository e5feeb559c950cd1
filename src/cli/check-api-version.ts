import { EngineError } from '../errors/engine-error.ts';
import { compareApiVersions } from '../wire/versions.ts';
import type { Command } from './command.ts';
import type { ParsedFlags } from './flags/flag-set.ts';

/** @throws EngineError "invalid" in Docker's words when the command or a flag that was given needs a newer daemon. */
export function checkApiVersion(
  current: string,
  { command, flags, path }: { command: Command; flags: ParsedFlags; path: string },
): void {
  const lacks = (version: string | undefined): version is string =>
    version !== undefined && compareApiVersions(current, version) < 0;
  const told = (what: string, version: string) =>
    `${what} requires API version ${version}, but the Docker daemon API version is ${current}`;
  if (lacks(command.sinceApi)) throw new EngineError('invalid', told(path, command.sinceApi));
  const errors = command.flags
    .filter((flag) => flags.changed(flag.name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, sinceApi }) => (lacks(sinceApi) ? [told(`"--${name}"`, sinceApi)] : []));
  if (errors.length > 0) throw new EngineError('invalid', errors.join('\n'));
}
