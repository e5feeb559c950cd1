import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { execute } from '../sys/execute.ts';
import type { Flag } from './flags/flag.ts';
import type { ParsedFlags } from './flags/flag-set.ts';

/**
 * Become `sampand registry <verb> …`: registries are the daemon program's, this one only speaks to daemons. The flags go on as they were given.
 *
 * @throws EngineError when the program is not there or can't be started; otherwise it does not return.
 */
export function execDaemon(
  words: readonly string[],
  { flags, known, args }: { flags: ParsedFlags; known: readonly Flag[]; args: readonly string[] },
): never {
  const given = known.flatMap(({ name, kind }) => {
    if (!flags.changed(name)) return [];
    const values = kind === 'list' || kind === 'strings' ? flags.list(name) : [flags.string(name)];
    return values.map((value) => `--${name}=${value}`);
  });
  execute([daemonProgram(), ...words, ...given, ...args], process.env);
}

function daemonProgram(): string {
  const beside = [
    join(dirname(process.execPath), '../bin/sampand'),
    join(import.meta.dirname, '../../bin/sampand'),
  ];
  const found = beside.find((path) => existsSync(path)) ?? Bun.which('sampand');
  if (found !== null) return found;
  throw new EngineError('not-found', 'Cannot find sampand, the program of the daemon', {
    hint: 'Put it on the PATH.',
  });
}
