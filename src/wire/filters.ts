import { EngineError } from '../errors/engine-error.ts';
import { type Json, parseJson, stringifyJson } from './json.ts';

const MAX_FILTERS_LENGTH = 1 << 20;

/** Filters as the `filters` query parameter takes them: `{"status":{"running":true}}`. Empty text for none. */
export function encodeFilters(filters: ReadonlyMap<string, readonly string[]>): string {
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
