import { EngineError } from '../../errors/engine-error.ts';

/** Checks `--detach-keys`; the daemon watches for them. @throws EngineError "invalid" in Docker's words. */
export function checkDetachKeys(text: string): void {
  if (text === '') return;
  for (const key of text.split(',')) {
    if (Array.from(key).length === 1 || /^ctrl-[a-z@[\\\]^_]$/.test(key)) continue;
    throw new EngineError('invalid', `invalid detach keys (${text}): Unknown character: '${key}'`);
  }
}
