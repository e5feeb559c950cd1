import { EngineError, errnoCodeOf, messageOf } from '../../errors/engine-error.ts';

/** What a refused connection means to the user, in Docker's words. */
export function connectError(endpoint: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const code = errnoCodeOf(error);
  if (code === 'EACCES' || code === 'EPERM')
    return new EngineError(
      'unavailable',
      `permission denied while trying to connect to the Docker daemon socket at ${endpoint}`,
      { cause: error },
    );
  if (code === undefined || /^(?:ENOENT|ECONNREFUSED|ENOTSOCK|ENOTDIR|FailedToOpenSocket)$/.test(code))
    return new EngineError(
      'unavailable',
      `Cannot connect to the Docker daemon at ${endpoint}. Is the docker daemon running?`,
      { cause: error },
    );
  return new EngineError('unavailable', `error during connect: ${endpoint}: ${messageOf(error)}`, {
    cause: error,
  });
}
