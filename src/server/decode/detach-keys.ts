import { EngineError } from '../../errors/engine-error.ts';
import { parseDetachKeys } from '../../text/detach-keys.ts';

/** @throws EngineError of `kind`, `Invalid WHAT keys (…) provided`: Docker's calls differ in both. */
export function detachKeysOf(
  text: string,
  refusal: { kind: 'invalid'; what: 'detach' } | { kind: 'internal'; what: 'escape' },
): Uint8Array {
  try {
    return parseDetachKeys(text);
  } catch (error) {
    throw new EngineError(refusal.kind, `Invalid ${refusal.what} keys (${text}) provided`, { cause: error });
  }
}
