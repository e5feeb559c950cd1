import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';

/** What a failed write means: a full disk or quota gets its code, in the words that Linux has for it; anything else stays as it is. */
export function storageError(error: unknown, what: string): unknown {
  const code = errnoCodeOf(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  const reason = code === 'ENOSPC' ? 'no space left on device' : 'disk quota exceeded';
  return new EngineError('internal', `Cannot ${what}: ${reason}`, {
    code: 'no-space',
    hint: 'Free space in the data root, for example by removing images that nothing uses.',
    cause: error,
  });
}
