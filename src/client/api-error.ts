import { EngineError, type ErrorKind } from '../errors/engine-error.ts';
import { parseJson } from '../wire/json.ts';
import type { ErrorResponse } from '../wire/system.ts';
import type { BufferedResponse } from './transport.ts';

const KINDS: Record<number, ErrorKind> = {
  304: 'not-modified',
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  501: 'not-implemented',
  503: 'unavailable',
};

/** What the daemon refused, with its own message and HTTP status. */
export class ApiError extends EngineError {
  readonly status: number;

  constructor(status: number, message: string, hint?: string) {
    super(KINDS[status] ?? 'internal', message, hint === undefined ? {} : { hint });
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The error of an answer with status 400 or above: `{"message"}` where it is there, else its text. */
export function apiErrorOf(response: BufferedResponse): ApiError {
  const { message, hint } = refusalOf(response.text);
  return new ApiError(response.status, message.trimEnd() || `status ${response.status}`, hint);
}

function refusalOf(text: string): ErrorResponse {
  if (!text.startsWith('{')) return { message: text.trim() };
  try {
    const body = parseJson(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body) && typeof body.message === 'string')
      return { message: body.message, ...(typeof body.hint === 'string' ? { hint: body.hint } : {}) };
  } catch {
    // Not JSON after all: its text is the best there is.
  }
  return { message: text.trim() };
}
