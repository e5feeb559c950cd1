import { create, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { EngineError, type ErrorKind, messageOf } from '../../errors/engine-error.ts';
import { StatusSchema } from '../protocol/generated/status_pb.ts';

/** https://grpc.io/docs/guides/status-codes */
export const GRPC = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** A call's end that is no success. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly code: number;
  /** More of it for programs: `google.rpc.Status.details`. */
  readonly details: readonly Any[];

  constructor(code: number, message: string, details: readonly Any[] = []) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

const CODES: Readonly<Record<ErrorKind, number>> = {
  invalid: GRPC.invalidArgument,
  unauthorized: GRPC.unauthenticated,
  forbidden: GRPC.permissionDenied,
  'not-found': GRPC.notFound,
  conflict: GRPC.failedPrecondition,
  'not-modified': GRPC.failedPrecondition,
  'not-implemented': GRPC.unimplemented,
  unavailable: GRPC.unavailable,
  internal: GRPC.unknown,
};

/** What went wrong, as gRPC tells it. */
export function asGrpcError(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  if (error instanceof EngineError) return new GrpcError(CODES[error.kind], error.message);
  if (error instanceof Error && error.name === 'AbortError')
    return new GrpcError(GRPC.canceled, 'context canceled');
  return new GrpcError(GRPC.unknown, messageOf(error));
}

/** A peer's refusal as the engine's error. */
export function asEngineError(error: GrpcError): EngineError {
  const [kind] = Object.entries(CODES).find(([, code]) => code === error.code) ?? ['internal'];
  return new EngineError(kind as ErrorKind, error.message, { cause: error });
}

/** A block of headers may have 64 KiB in all; one that is larger ends the call without a word. The details have the message in them once more. */
const MAX_MESSAGE_HEADER = 12 << 10;
const MAX_DETAILS_BYTES = 36 << 10;

/** The trailers that end a call. A long message is shortened in its middle, details that are too large stay behind. */
export function trailersOf(error: GrpcError | undefined): Record<string, string> {
  if (error === undefined) return { 'grpc-status': '0' };
  const { code, details } = error;
  const message = shortened(error.message);
  const trailers = { 'grpc-status': String(code), 'grpc-message': percentEncoded(message) };
  if (details.length === 0) return trailers;
  const status = toBinary(StatusSchema, create(StatusSchema, { code, message, details: [...details] }));
  if (status.length > MAX_DETAILS_BYTES) return trailers;
  return {
    ...trailers,
    'grpc-status-details-bin': Buffer.from(status).toString('base64').replace(/=+$/, ''),
  };
}

/** The inverse of `trailersOf`, of whatever a peer sent; undefined: it went well. */
export function errorOfTrailers(trailers: Readonly<Record<string, unknown>>): GrpcError | undefined {
  const status = trailers['grpc-status'];
  if (status === '0') return undefined;
  if (status === undefined)
    return new GrpcError(GRPC.unavailable, 'the connection ended in the middle of a call');
  const message = trailers['grpc-message'];
  return new GrpcError(Number(status), typeof message === 'string' ? percentDecoded(message) : '');
}

function shortened(message: string): string {
  let short = message;
  for (let kept = 8192; isLong(short); kept >>= 1)
    short = `${message.slice(0, kept).toWellFormed()} […] ${message.slice(-kept >> 3).toWellFormed()}`;
  return short;
}

function isLong(message: string): boolean {
  return message.length > MAX_MESSAGE_HEADER || percentEncoded(message).length > MAX_MESSAGE_HEADER;
}

/** Of the message's bytes those outside of printable ASCII, and `%`: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function percentEncoded(text: string): string {
  let encoded = '';
  for (const byte of new TextEncoder().encode(text))
    encoded +=
      byte < 0x20 || byte > 0x7e || byte === 0x25
        ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
        : String.fromCharCode(byte);
  return encoded;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
