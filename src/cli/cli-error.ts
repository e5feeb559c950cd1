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
  if (error instanceof ApiError) return `Error response from daemon: ${error.message}`;
  if (error instanceof EngineError && error.hint !== undefined) return `${error.message}\n${error.hint}`;
  return messageOf(error);
}
