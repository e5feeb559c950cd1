import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';

/** Whether a disk or a quota is full: as the store says it, or the system itself. */
export function isNoSpace(error: unknown): boolean {
  if (error instanceof EngineError) return error.code === 'no-space';
  const errno = errnoCodeOf(error);
  return errno === 'ENOSPC' || errno === 'EDQUOT';
}
