import { EngineError, type ErrorKind, kindOf, messageOf } from '../errors/engine-error.ts';
import type { ErrorResponse } from '../wire/system.ts';

/** The one place that knows which HTTP status an error's kind is. */
const STATUS: Record<ErrorKind, number> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-modified': 304,
  'not-implemented': 501,
  unavailable: 503,
  internal: 500,
};

/** HTTP status of any thrown value. */
export function statusOf(error: unknown): number {
  return STATUS[kindOf(error)];
}

/** What the client is told: the body of a refusal. `hint` is ours; other clients pass over it. */
export function errorBody(error: unknown): ErrorResponse {
  const hint = error instanceof EngineError ? error.hint : undefined;
  return { message: messageOf(error), ...(hint === undefined ? {} : { hint }) };
}
