import { EngineError } from '../errors/engine-error.ts';
import { hasLabel } from '../text/has-label.ts';
import { type Json, parseJson, stringifyJson } from './json.ts';
import { parseTimeParameter } from './time.ts';

/** What was asked for, by the filter's name. */
export type Filters = ReadonlyMap<string, readonly string[]>;

const MAX_FILTERS_LENGTH = 1 << 20;

/** Filters as the `filters` query parameter takes them: `{"status":{"running":true}}`. Empty text for none. */
export function encodeFilters(filters: Filters): string {
  if (filters.size === 0) return '';
  const entries = [...filters].map(([key, values]) => [
    key,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  return stringifyJson(Object.fromEntries(entries));
}

/**
 * The `filters` query parameter, in the form of today (sets) or before 1.22 (lists).
 *
 * @throws EngineError "invalid" `invalid filter` on anything else.
 */
export function parseFilters(text: string | null | undefined): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  if (text === null || text === undefined || text === '') return filters;
  const value = parseFilterJson(text);
  if (!isObject(value)) throw new EngineError('invalid', 'invalid filter');
  for (const [key, set] of Object.entries(value)) filters.set(key, filterValues(set));
  return filters;
}

/** @throws EngineError "invalid" for a filter that is none of `names`. */
export function checkFilterNames(filters: Filters, names: readonly string[]): void {
  const unknown = [...filters.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) throw new EngineError('invalid', `invalid filter '${unknown}'`);
}

/**
 * Yes, no, or undefined for a filter that wasn't given. As Docker reads it: words of Go's other spellings don't count, and one of the two has to be there.
 *
 * @throws EngineError "invalid" for anything else.
 */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined) return undefined;
  const isTrue = values.includes('1') || values.includes('true');
  const isFalse = values.includes('0') || values.includes('false');
  if (isTrue !== isFalse) return isTrue;
  const shown = values.length === 0 ? '' : `=[${values.toSorted().join(' ')}]`;
  throw new EngineError('invalid', `invalid filter '${name}${shown}'`);
}

/** The `until` of a prune, in nanoseconds since 1970. @throws EngineError "invalid" as `parseTimeParameter`; for more than one. */
export function untilFilter(filters: Filters): bigint | undefined {
  const [value, ...others] = filters.get('until') ?? [];
  if (others.length > 0) throw new EngineError('invalid', 'more than one until filter specified');
  return value === undefined ? undefined : parseTimeParameter(value);
}

/** What `label` and `label!` ask of something's labels: all of the first, none of the second; each `key` or `key=value`. */
export function labelFilter(filters: Filters): (labels: Readonly<Record<string, string>>) => boolean {
  const wanted = filters.get('label') ?? [];
  const unwanted = filters.get('label!') ?? [];
  return (labels) =>
    wanted.every((label) => hasLabel(labels, label)) && !unwanted.some((label) => hasLabel(labels, label));
}

function parseFilterJson(text: string): Json {
  try {
    return parseJson(text, { maxLength: MAX_FILTERS_LENGTH, maxDepth: 4 });
  } catch (error) {
    throw new EngineError('invalid', 'invalid filter', { cause: error });
  }
}

function filterValues(set: Json): string[] {
  if (Array.isArray(set) && set.every((value) => typeof value === 'string')) return set;
  if (isObject(set) && Object.values(set).every((value) => typeof value === 'boolean'))
    return Object.keys(set).filter((value) => set[value] === true);
  if (set === null) return [];
  throw new EngineError('invalid', 'invalid filter');
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
