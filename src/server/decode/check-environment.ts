import { EngineError } from '../../errors/engine-error.ts';

/** @throws EngineError "invalid" in Docker's words for a variable without a name. */
export function checkEnvironment(entries: readonly string[]): void {
  for (const entry of entries)
    if (entry === '' || entry.startsWith('='))
      throw new EngineError('invalid', `invalid environment variable: ${entry}`);
}
