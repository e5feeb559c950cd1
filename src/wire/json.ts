import { EngineError } from '../errors/engine-error.ts';

/** A JSON value as this codec gives it: integers beyond ±2^53 are bigint, all other numbers are number. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

export interface ParseLimits {
  /** UTF-16 units of the whole text; default 4 MiB. */
  maxLength?: number;
  /** Nesting of arrays and objects; default 1000. */
  maxDepth?: number;
}

const DEFAULT_MAX_LENGTH = 4 * 1024 * 1024;
const DEFAULT_MAX_DEPTH = 1000;
/** Shorter integers are exact as numbers: 10^15 < 2^53. */
const SAFE_DIGITS = 15;
/** What a short hostile text costs at most before its depth is known. */
const BRACKETS_PER_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parse one JSON text. A key that occurs twice keeps its last value, and `__proto__` is an ordinary key.
 *
 * @throws EngineError "invalid" on bad syntax or past a limit; the message says which.
 */
export function parseJson(text: string, limits: ParseLimits = {}): Json {
  if (text.length > (limits.maxLength ?? DEFAULT_MAX_LENGTH))
    throw new EngineError('invalid', 'Cannot read JSON: the text is too long', { code: 'size-exceeded' });
  const maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
  const plain = isPlain(text, maxDepth);
  const marker = plain ? undefined : markBigIntegers(text, maxDepth);
  try {
    if (marker === undefined) {
      const value = JSON.parse(text) as Json;
      if (plain && isDeeper(value, maxDepth)) throw tooDeep();
      return value;
    }
    return JSON.parse(marker.text, (_key, value: unknown) =>
      typeof value === 'string' && value.startsWith(marker.prefix)
        ? BigInt(value.slice(marker.prefix.length))
        : value,
    ) as Json;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError('invalid', `invalid JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** No integer that a number can't hold, and few enough brackets to count the depth when it is parsed: no look at each character then. */
function isPlain(text: string, maxDepth: number): boolean {
  if (/[\s:,[]-?\d{16}/.test(text)) return false;
  return text.split('[').length + text.split('{').length <= maxDepth * BRACKETS_PER_DEPTH;
}

function isDeeper(value: Json, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  // Most values are no objects, and a list is read by a program that has just started: without a call or a copy for each.
  const members = value as Record<string, Json>;
  for (const key in members) {
    const member = members[key];
    if (typeof member === 'object' && member !== null && isDeeper(member, left - 1)) return true;
  }
  return false;
}

function tooDeep(): EngineError {
  return new EngineError('invalid', 'invalid JSON: exceeded max depth');
}

interface MarkedText {
  text: string;
  prefix: string;
}

/** Put integers that a number can't hold into strings with an unguessable prefix; undefined when there are none. */
function markBigIntegers(text: string, maxDepth: number): MarkedText | undefined {
  let depth = 0;
  let copiedTo = 0;
  let prefix = '';
  let out = '';
  for (let at = 0; at < text.length; ) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at);
    else if (unit === 0x2d || (unit >= 0x30 && unit <= 0x39)) {
      const end = endOfNumber(text, at);
      if (end - at > SAFE_DIGITS && isUnsafeInteger(text.slice(at, end))) {
        if (prefix === '') prefix = unusedPrefix(text);
        out += `${text.slice(copiedTo, at)}"${prefix}${text.slice(at, end)}"`;
        copiedTo = end;
      }
      at = end;
    } else {
      if (unit === 0x5b || unit === 0x7b) depth++;
      else if (unit === 0x5d || unit === 0x7d) depth--;
      if (depth > maxDepth) throw tooDeep();
      at++;
    }
  }
  return prefix === '' ? undefined : { text: out + text.slice(copiedTo), prefix };
}

/** Random, so that nobody can put it into a text on purpose; not `crypto`, which Node 18 lacks as a global. */
function unusedPrefix(text: string): string {
  for (;;) {
    const prefix = `${Math.random().toString(36)}${Math.random().toString(36)}:`;
    if (!text.includes(prefix)) return prefix;
  }
}

/** Index behind the closing quote, or the text's end. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let back = quote - 1;
    while (text.charCodeAt(back) === BACKSLASH) back--;
    if ((quote - back) % 2 === 1) return quote + 1;
    at = quote + 1;
  }
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const inNumber =
      (unit >= 0x30 && unit <= 0x39) ||
      unit === 0x2e ||
      unit === 0x65 ||
      unit === 0x45 ||
      unit === 0x2b ||
      unit === 0x2d;
    if (!inNumber) break;
  }
  return at;
}

function isUnsafeInteger(token: string): boolean {
  return token.length <= 400 && /^-?(?:0|[1-9][0-9]*)$/.test(token) && !Number.isSafeInteger(Number(token));
}

export interface StringifyOptions {
  /** As Go's encoder does by default (event and progress streams): `<`, `>` and `&` as \u escapes. */
  escapeHtml?: boolean;
}

/**
 * One JSON text without newline. Bigints become bare digits, `undefined` properties are left out, non-finite numbers are null.
 * Docker's answers don't escape HTML, its streams do: see `escapeHtml`.
 */
export function stringifyJson(value: unknown, options: StringifyOptions = {}): string {
  const text = stringifyPlain(value) ?? encode(value) ?? 'null';
  if (!/[<>&\u2028\u2029]/.test(text)) return text;
  return options.escapeHtml === true
    ? text.replace(/[<>&\u2028\u2029]/g, escapeUnit)
    : text.replace(/[\u2028\u2029]/g, escapeUnit);
}

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Undefined when there is a bigint in it. */
function stringifyPlain(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function encode(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return JSON.stringify(value);
    case 'bigint':
      return value.toString();
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? encodeArray(value) : encodeObject(value);
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined;
  }
}

function encodeArray(values: readonly unknown[]): string {
  return `[${values.map((value) => encode(value) ?? 'null').join(',')}]`;
}

function encodeObject(object: object): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(object)) {
    const text = encode(value);
    if (text !== undefined) parts.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${parts.join(',')}}`;
}

/** The value as int64 where it is an integer (number or bigint), else undefined. */
export function toBigInt(value: Json | undefined): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
