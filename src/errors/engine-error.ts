/** What went wrong, in a word that a client can act on; `server/status.ts` alone maps it to HTTP. */
export type ErrorKind =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'not-modified'
  | 'not-implemented'
  | 'unavailable'
  | 'internal';

/** Machine-readable causes, kebab-case. Add here, nowhere else. */
export type ErrorCode =
  | 'abi-mismatch'
  | 'archive-hostile'
  | 'archive-truncated'
  | 'client-silent'
  | 'command-not-executable'
  | 'command-not-found'
  | 'context-changed'
  | 'context-elsewhere'
  | 'digest-mismatch'
  | 'image-in-use'
  | 'no-matching-platform'
  | 'no-space'
  | 'registry-denied'
  | 'registry-manifest-unknown'
  | 'registry-rate-limited'
  | 'registry-unreachable'
  | 'schema-newer'
  | 'signature-refused'
  | 'size-exceeded'
  | 'syscall-failed';

export interface ErrorDetails {
  code?: ErrorCode;
  /** What the user can do about it, one sentence. */
  hint?: string;
  cause?: unknown;
}

/** The one error class of the engine. Messages never carry credentials. */
export class EngineError extends Error {
  readonly kind: ErrorKind;
  readonly code: ErrorCode | undefined;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'EngineError';
    this.kind = kind;
    this.code = details.code;
    this.hint = details.hint;
  }
}

/** An EngineError as plain data, for the way between threads. */
export interface SerializedError {
  kind: ErrorKind;
  message: string;
  code?: ErrorCode;
  hint?: string;
}

export function serializeError(error: unknown): SerializedError {
  if (!(error instanceof EngineError)) return { kind: 'internal', message: messageOf(error) };
  return {
    kind: error.kind,
    message: error.message,
    ...(error.code === undefined ? {} : { code: error.code }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

export function deserializeError(data: SerializedError): EngineError {
  return new EngineError(data.kind, data.message, data);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The kind of any thrown value: EngineErrors know theirs, everything else is internal. */
export function kindOf(error: unknown): ErrorKind {
  return error instanceof EngineError ? error.kind : 'internal';
}

/** `ENOENT` and the like, when `error` is a system error of Node's or Bun's API. */
export function errnoCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
