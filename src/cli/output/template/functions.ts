import { EngineError } from '../../../errors/engine-error.ts';
import { stringifyJson } from '../../../wire/json.ts';
import { quote } from '../../../wire/quote.ts';
import { sprintf } from './printf.ts';
import {
  format,
  isInteger,
  isMap,
  isNumber,
  isTrue,
  Struct,
  TypedNull,
  typeName,
  type Value,
} from './value.ts';

export type TemplateFunction = (...args: Value[]) => Value;

/** Go's built-in functions and Docker's own. `and` and `or` are the executor's, since they stop early. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  // Docker's
  // A row of a list escapes HTML, as Go's own marshalling of it does.
  json: (value) => stringifyJson(toJson(value), { escapeHtml: value instanceof Struct }),
  split: (text, separator) => split(string(text), string(separator)),
  join: (list, separator) => items(list).map(string).join(string(separator)),
  title: (text) =>
    string(text).replace(
      /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
      (_all, before: string, letter: string) => before + letter.toUpperCase(),
    ),
  lower: (text) => string(text).toLowerCase(),
  upper: (text) => string(text).toUpperCase(),
  pad: (text, before, after) =>
    string(text) === '' ? '' : ' '.repeat(Number(before)) + string(text) + ' '.repeat(Number(after)),
  truncate: (text, length) => {
    const bytes = new TextEncoder().encode(string(text));
    return Number(length) < bytes.length ? new TextDecoder().decode(bytes.subarray(0, Number(length))) : text;
  },
  // Go's
  not: (value) => !isTrue(value),
  len: length,
  index: (collection, ...keys) => keys.reduce<Value>(index, collection),
  slice: (value, from = 0n, to?) => slice(value, Number(from), to === undefined ? undefined : Number(to)),
  print: (...values) => print(values),
  println: (...values) => `${values.map(format).join(' ')}\n`,
  printf: (pattern, ...values) => sprintf(string(pattern), values),
  html: (...values) => print(values).replace(/[&<>"'\0]/g, (character) => HTML[character] ?? character),
  js: (...values) =>
    quote(print(values))
      .slice(1, -1)
      .replace(
        /['<>&=]/g,
        (character) => `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
      ),
  urlquery: (...values) => encodeURIComponent(print(values)).replaceAll('%20', '+'),
  eq: (first, ...others) => {
    if (others.length === 0) throw new EngineError('invalid', 'missing argument for comparison');
    return others.some((other) => equal(first, other));
  },
  ne: (left, right) => !equal(left, right),
  lt: (left, right) => compare(left, right) < 0,
  le: (left, right) => compare(left, right) <= 0,
  gt: (left, right) => compare(left, right) > 0,
  ge: (left, right) => compare(left, right) >= 0,
};

export const FUNCTION_NAMES: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), 'and', 'or']);

const HTML: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\0': '\uFFFD',
};

function split(text: string, separator: string): string[] {
  return separator === '' ? Array.from(text) : text.split(separator);
}

function string(value: Value): string {
  if (typeof value === 'string') return value;
  throw new EngineError('invalid', `wrong type for value; expected string; got ${typeName(value)}`);
}

function items(value: Value): Value[] {
  if (Array.isArray(value)) return value;
  if (value instanceof TypedNull) return [];
  throw new EngineError('invalid', `wrong type for value; expected []string; got ${typeName(value)}`);
}

function length(value: Value): bigint {
  if (typeof value === 'string') return BigInt(new TextEncoder().encode(value).length);
  if (Array.isArray(value)) return BigInt(value.length);
  if (value instanceof TypedNull) return 0n;
  if (isMap(value)) return BigInt(Object.keys(value).length);
  throw new EngineError(
    'invalid',
    value === undefined || value === null ? 'len of nil pointer' : `len of type ${typeName(value)}`,
  );
}

function index(collection: Value, key: Value): Value {
  if (collection instanceof TypedNull && collection.kind === 'map') return '';
  if (isMap(collection)) {
    if (typeof key !== 'string')
      throw new EngineError('invalid', `value has type ${typeName(key)}; should be string`);
    return Object.hasOwn(collection, key) ? collection[key] : '';
  }
  if (collection === null || collection === undefined)
    throw new EngineError('invalid', 'index of untyped nil');
  const list =
    typeof collection === 'string'
      ? [...new TextEncoder().encode(collection)].map(BigInt)
      : collection instanceof TypedNull
        ? []
        : collection;
  if (!Array.isArray(list))
    throw new EngineError('invalid', `can't index item of type ${typeName(collection)}`);
  if (!isInteger(key))
    throw new EngineError('invalid', `cannot index slice/array with type ${typeName(key)}`);
  if (key < 0 || key >= list.length) throw new EngineError('invalid', `index out of range: ${key}`);
  return list[Number(key)];
}

function slice(value: Value, from: number, to: number | undefined): Value {
  if (typeof value !== 'string' && !Array.isArray(value))
    throw new EngineError('invalid', `can't slice item of type ${typeName(value)}`);
  const end = to ?? value.length;
  if (from < 0 || from > value.length) throw new EngineError('invalid', `index out of range: ${from}`);
  if (end < from || end > value.length) throw new EngineError('invalid', `index out of range: ${end}`);
  return value.slice(from, end);
}

/** Go's `fmt.Sprint`: a space between neighbours of which neither is a string. */
function print(values: readonly Value[]): string {
  return values
    .map((value, at) => {
      const gap = at > 0 && typeof value !== 'string' && typeof values[at - 1] !== 'string';
      return (gap ? ' ' : '') + format(value);
    })
    .join('');
}

function equal(left: Value, right: Value): boolean {
  if (isNumber(left) && isNumber(right)) {
    if (isInteger(left) !== isInteger(right))
      throw new EngineError('invalid', 'incompatible types for comparison');
    // oxlint-disable-next-line eslint/eqeqeq -- a number and a bigint of the same value are one here
    return left == right;
  }
  const nil = (value: Value) => value === null || value === undefined;
  if (nil(left) || nil(right)) return nil(left) && nil(right);
  if (typeof left === 'object' || typeof right === 'object')
    throw new EngineError('invalid', 'non-comparable type');
  if (typeof left !== typeof right) throw new EngineError('invalid', 'incompatible types for comparison');
  return left === right;
}

function compare(left: Value, right: Value): number {
  if (isNumber(left) && isNumber(right)) {
    if (isInteger(left) !== isInteger(right))
      throw new EngineError('invalid', 'incompatible types for comparison');
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0;
  if (typeof left === 'boolean' || typeof right === 'boolean' || typeof left === 'object')
    throw new EngineError('invalid', 'invalid type for comparison');
  throw new EngineError('invalid', 'incompatible types for comparison');
}

/** What `json` shows: structs as objects with sorted keys, nil slices and maps as null. */
export function toJson(value: Value): unknown {
  if (value instanceof Struct)
    return Object.fromEntries(
      value
        .names()
        .sort()
        .map((name) => [name, toJson(value.get(name))]),
    );
  if (value instanceof TypedNull || value === undefined) return null;
  if (Array.isArray(value)) return value.map(toJson);
  if (isMap(value))
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toJson(each)]));
  return value;
}
