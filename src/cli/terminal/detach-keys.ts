import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { parseDetachKeys } from '../../text/detach-keys.ts';
import type { CliContext } from '../context.ts';
import type { ParsedFlags } from '../flags/flag-set.ts';

/** `--detach-keys`, else what config.json says; '' for the daemon's default. @throws EngineError as `checkDetachKeys`. */
export function detachKeysOf(
  flags: Pick<ParsedFlags, 'string'>,
  { config }: Pick<CliContext, 'config'>,
): string {
  const keys = flags.string('detach-keys') || (config.detachKeys ?? '');
  checkDetachKeys(keys);
  return keys;
}

/** Checks `--detach-keys`; the daemon watches for them. @throws EngineError "invalid" in Docker's words. */
export function checkDetachKeys(text: string): void {
  if (text === '') return;
  try {
    parseDetachKeys(text);
  } catch (error) {
    throw new EngineError('invalid', `invalid detach keys (${text}): ${messageOf(error)}`, { cause: error });
  }
}
