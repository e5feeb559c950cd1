import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { posix } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import { type Json, parseJson } from '../wire/json.ts';
import { jsonSyntaxError } from './decode/json-syntax.ts';

const NOTHING = 'invalid JSON: got EOF while reading request body';
const MAX_JSON_BYTES = 4 * 1024 * 1024;
/** Go's `strconv.ParseBool` and Docker's older words for false. */
const FALSE_WORDS = new Set(['', '0', 'no', 'false', 'none']);

/** One request, routed: what handlers see of HTTP. */
export interface ApiRequest {
  method: string;
  /** The decoded pieces of the path that the route's pattern captured. */
  params: readonly string[];
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** The API version that the client speaks, `1.51`. */
  version: string;
  /** The body as it comes; empty where there is none. */
  body: AsyncIterable<Uint8Array>;
  /** Aborted when the client is gone before its answer ended. */
  signal: AbortSignal;
}

/** Whether a query parameter is true as Docker reads it: anything but empty, `0`, `no`, `false` and `none`. */
export function boolParam(request: ApiRequest, name: string): boolean {
  return !FALSE_WORDS.has((request.query.get(name) ?? '').trim().toLowerCase());
}

/** A parameter's text; undefined where it is missing or empty. */
export function textParam(request: ApiRequest, name: string): string | undefined {
  const value = request.query.get(name);
  return value === null || value === '' ? undefined : value;
}

/** @throws EngineError "invalid", in the words of Go's strconv, unless the parameter is missing, empty or a safe integer. */
export function intParam(request: ApiRequest, name: string): number | undefined {
  const text = textParam(request, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new EngineError('invalid', `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return value;
}

/** The n-th captured piece of the path. */
export function pathParam(request: ApiRequest, index = 0): string {
  return request.params[index] ?? '';
}

/** The body as JSON, 4 MiB at most; one that is missing is an empty object. @throws EngineError "invalid", in Docker's words, on another media type or bad JSON. */
export async function jsonBody(request: ApiRequest): Promise<Json> {
  return (await optionalJsonBody(request)) ?? {};
}

/** The same where Docker refuses what is missing. */
export async function requiredJsonBody(request: ApiRequest): Promise<Json> {
  const body = await optionalJsonBody(request);
  if (body === undefined) throw new EngineError('invalid', NOTHING);
  return body;
}

/** The same where it may be left out: undefined then. */
export async function optionalJsonBody(request: ApiRequest): Promise<Json | undefined> {
  const bytes = await readAll(request.body);
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (bytes.length > 0 && mediaType !== 'application/json')
    throw new EngineError(
      'invalid',
      `unsupported Content-Type header (${request.headers['content-type'] ?? ''}): must be 'application/json'`,
    );
  if (bytes.length === 0) return undefined;
  const text = bytes.toString('utf8');
  if (text.trim() === '') throw new EngineError('invalid', NOTHING);
  try {
    return parseJson(text, { maxLength: MAX_JSON_BYTES });
  } catch (error) {
    if (!(error instanceof EngineError && error.cause instanceof SyntaxError)) throw error;
    throw new EngineError('invalid', jsonSyntaxError(text) ?? error.message, { cause: error.cause });
  }
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_JSON_BYTES)
      throw new EngineError('invalid', `request body is larger than ${MAX_JSON_BYTES} bytes`, {
        code: 'size-exceeded',
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** A request's target, which may be in absolute form, as it was sent. */
export interface RequestTarget {
  path: string;
  query: URLSearchParams;
  /** What in it is no percent-encoding, `%zz`. */
  badEscape: string | undefined;
  /** Where the same would be without `..`, `.` and doubled slashes; undefined: it has none. Only that may be served. */
  cleaned: string | undefined;
}

/**
 * Read a request's target. What filters requests in front of us goes by the path that it sees, so no other may be served: what a URL
 * parser would resolve is answered with a redirect, as dockerd's router does.
 *
 * Undefined where it is no path.
 */
export function parseTarget(message: IncomingMessage): RequestTarget | undefined {
  const relative = (message.url ?? '/').replace(/^https?:\/\/[^/?#]*(?=[/?#]|$)/i, '');
  const [, path = '', search = ''] = /^(\/[^?#]*)(\?[^#]*)?/.exec(relative) ?? [];
  if (path === '') return undefined;
  const badEscape = /%(?![\da-f]{2}).{0,2}/i.exec(path + search)?.[0];
  return { path, query: new URLSearchParams(search), badEscape, cleaned: cleanedPath(path, search) };
}

function cleanedPath(path: string, search: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const clean = posix.normalize(decoded);
  return clean === decoded ? undefined : `${clean.split('/').map(encodeURIComponent).join('/')}${search}`;
}
