import { EngineError } from '../../errors/engine-error.ts';
import { familiarName, familiarRepository, type Reference } from '../../oci/reference.ts';
import { recordOf } from '../client/loose-json.ts';
import { type ReadLimits, readBody } from './response-body.ts';
import type { TransportResponse } from './transport.ts';

/** An error entry of the distribution specification. */
export interface RegistryErrorEntry {
  code: string;
  message: string;
}

const MAX_ERROR_BYTES = 64 << 10;
const MAX_SHOWN = 400;

/**
 * A response that is no success, as an error in Docker's words; the body is read (bounded) and let go.
 * `status` and `retryAfterMs` are left on the error for who decides about another attempt.
 */
export async function errorFromResponse(
  response: TransportResponse,
  about: Reference,
  limits: Omit<ReadLimits, 'maxBytes'> & { pushing?: boolean },
): Promise<RegistryResponseError> {
  const body = await readBody(response, { ...limits, maxBytes: MAX_ERROR_BYTES }).catch((error: unknown) => {
    limits.signal.throwIfAborted();
    return error instanceof EngineError ? new Uint8Array() : Promise.reject(error);
  });
  const text = new TextDecoder().decode(body);
  const details = { status: response.status, retryAfterMs: retryAfterOf(response.headers) };
  return describe(
    { status: response.status, headers: response.headers, text, about, pushing: limits.pushing ?? false },
    details,
  );
}

/** What `unreachable` cannot be: the registry answered. */
export class RegistryResponseError extends EngineError {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(error: EngineError, details: { status: number; retryAfterMs: number | undefined }) {
    super(error.kind, error.message, {
      ...(error.code === undefined ? {} : { code: error.code }),
      cause: error.cause,
    });
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  about: Reference;
  pushing: boolean;
}

function describe(answer: Answer, details: { status: number; retryAfterMs: number | undefined }) {
  const entry = parseErrors(answer.text)[0] ?? { code: '', message: shown(answer.text) };
  return new RegistryResponseError(translate(answer, entry), details);
}

function translate({ status, headers, about, pushing }: Answer, entry: RegistryErrorEntry): EngineError {
  const insufficient = /error="?insufficient_scope/.test(headers.get('www-authenticate') ?? '');
  const denied = pushing ? pushDenied : (message: string) => pullDenied(about, message);
  if (status === 401 && insufficient) return denied('requested access to the resource is denied');
  if (status === 401)
    return new EngineError('unauthorized', `unauthorized: ${entry.message || 'authentication required'}`, {
      code: 'registry-denied',
    });
  if (status === 403 || entry.code === 'DENIED')
    return denied(entry.message || 'requested access to the resource is denied');
  if (status === 404) return unknown(about, entry);
  if (status === 429)
    return new EngineError('unavailable', `toomanyrequests: ${entry.message || 'too many requests'}`, {
      code: 'registry-rate-limited',
    });
  if (status >= 500)
    return new EngineError('unavailable', `received unexpected HTTP status: ${statusText(status)}`, {
      code: 'registry-unreachable',
    });
  const message =
    entry.code === '' ? entry.message : `${entry.code.toLowerCase().replaceAll('_', ' ')}: ${entry.message}`;
  return new EngineError('invalid', message || `received unexpected HTTP status: ${statusText(status)}`);
}

function pushDenied(message: string): EngineError {
  return new EngineError('forbidden', `denied: ${message}`, { code: 'registry-denied' });
}

function pullDenied(about: Reference, message: string): EngineError {
  return new EngineError(
    'not-found',
    `pull access denied for ${familiarRepository(about)}, repository does not exist or may require 'docker login': denied: ${message}`,
    { code: 'registry-denied' },
  );
}

function unknown(about: Reference, entry: RegistryErrorEntry): EngineError {
  const details = { code: 'registry-manifest-unknown' } as const;
  if (entry.code === 'NAME_UNKNOWN')
    return new EngineError(
      'not-found',
      `repository ${familiarRepository(about)} not found: name unknown: ${entry.message}`,
      details,
    );
  if (entry.code === 'BLOB_UNKNOWN') return new EngineError('not-found', 'unknown blob', details);
  const reason =
    entry.code === 'MANIFEST_UNKNOWN' ? `manifest unknown: ${entry.message}` : `unknown: ${entry.message}`;
  return new EngineError('not-found', `manifest for ${familiarName(about)} not found: ${reason}`, details);
}

/** The entries of a `{"errors":[…]}` body; none where it is anything else. */
export function parseErrors(text: string): RegistryErrorEntry[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return [];
  }
  const errors = recordOf(body)['errors'];
  if (Array.isArray(errors))
    return errors.slice(0, 10).map((entry) => {
      const { code, message } = recordOf(entry);
      return { code: stringOf(code), message: shown(stringOf(message)) };
    });
  const { details, message } = recordOf(body);
  const text2 = shown(stringOf(details) || stringOf(message));
  return text2 === '' ? [] : [{ code: '', message: text2 }];
}

/** Seconds or a date (RFC 9110, 10.2.3), as milliseconds from now. */
export function retryAfterOf(headers: Headers): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // An HTTP date begins with the day's name; `Date.parse` takes much else.
  const date = /^[a-z]/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Somebody else's text, fit for one line of ours. */
function shown(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

const STATUS_TEXT: Record<number, string> = {
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function statusText(status: number): string {
  const text = STATUS_TEXT[status];
  return text === undefined ? String(status) : `${status} ${text}`;
}
