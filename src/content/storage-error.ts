import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';

/** What a failed write is to the caller: a full disk (or quota) has a code of its own. EngineErrors pass through. */
export function storageError(error: unknown, what: string): EngineError {
  if (error instanceof EngineError) return error;
  const errno = errnoCodeOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new EngineError('internal', `${what}: no space left on device`, {
      code: 'no-space',
      cause: error,
    });
  return new EngineError('internal', `${what}: ${messageOf(error)}`, { cause: error });
}
