import { ApiError } from '../client/api-error.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';

/** Ends the program with `status`; `message`, if any, goes to stderr as it is. */
export class ExitError extends EngineError {
  readonly status: number;

  constructor(status: number, message = '') {
    super('internal', message);
    this.name = 'ExitError';
    this.status = status;
  }
}

/** An error as the user reads it: what the daemon refused is told from what went wrong here. */
export function describeError(error: unknown): string {
  const message =
    error instanceof ApiError ? `Error response from daemon: ${error.message}` : messageOf(error);
  return error instanceof EngineError && error.hint !== undefined ? `${message}\n${error.hint}` : message;
}
