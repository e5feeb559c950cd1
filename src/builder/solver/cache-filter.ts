import { EngineError } from '../../errors/engine-error.ts';
import { type GoPattern, goPatternOrNone } from '../../text/go-pattern.ts';
import type { CacheRecord } from './cache-record.ts';

/** What isn't in a record itself. */
export interface RecordState {
  inUse: boolean;
  /** An image has the layer too: nothing is freed where the record goes. */
  shared: boolean;
}

type Field = (record: CacheRecord, state: RecordState) => string | undefined;
type Matcher = (value: string | undefined) => boolean;

const PRESENT = '';

/** What filters know of a record, as BuildKit has it. Undefined: absent. */
const FIELDS: Readonly<Record<string, Field>> = {
  id: ({ id }) => id,
  type: ({ kind }) => kind,
  description: ({ description }) => description,
  inuse: (_, { inUse }) => (inUse ? PRESENT : undefined),
  mutable: (record) => (isMutable(record) ? PRESENT : undefined),
  immutable: (record) => (isMutable(record) ? undefined : PRESENT),
  shared: (_, { shared }) => (shared ? PRESENT : undefined),
  private: (_, { shared }) => (shared ? undefined : PRESENT),
};

const MAX_FILTER = 4096;

/** Folders that builds write to, other than layers, which never change. */
export function isMutable({ layer }: CacheRecord): boolean {
  return layer === undefined;
}

/**
 * Filters in containerd's language: `type==exec.cachemount,description~=npm`. All selectors of one must fit, and one of the filters; without any
 * everything does. A field that nobody knows is absent.
 *
 * @throws EngineError "invalid" for what can't be read.
 */
export function parseCacheFilters(
  texts: readonly string[],
): (record: CacheRecord, state: RecordState) => boolean {
  const filters = texts.filter((text) => text !== '').map(parseFilter);
  if (filters.length === 0) return () => true;
  return (record, state) => filters.some((selectors) => selectors.every((fits) => fits(record, state)));
}

function parseFilter(text: string): ((record: CacheRecord, state: RecordState) => boolean)[] {
  if (text.length > MAX_FILTER) throw unreadable(text.slice(0, 80));
  const selectors: ((record: CacheRecord, state: RecordState) => boolean)[] = [];
  const selector = /([A-Za-z0-9_.\-/]+)(?:(==|!=|~=)("(?:[^"\\]|\\.)*"|[^,]*))?(?:,|$)/gy;
  while (selector.lastIndex < text.length) {
    const [, name = '', operator, value = ''] = selector.exec(text) ?? [];
    if (name === '') throw unreadable(text);
    const fits = matcherOf(operator, value.startsWith('"') ? unquoted(value) : value);
    selectors.push((record, state) => fits(FIELDS[name]?.(record, state)));
  }
  return selectors;
}

function matcherOf(operator: string | undefined, wanted: string): Matcher {
  switch (operator) {
    case '==':
      return (value) => value === wanted;
    case '!=':
      return (value) => (value ?? '') !== wanted;
    case '~=': {
      const pattern = patternOf(wanted);
      return (value) => pattern.test(value ?? '');
    }
    default:
      return (value) => value !== undefined;
  }
}

/** As in containerd, what is no pattern fits nothing. */
function patternOf(text: string): GoPattern {
  return goPatternOrNone(text) ?? { test: () => false };
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

function unreadable(text: string): EngineError {
  return new EngineError('invalid', `failed to parse filter ${JSON.stringify(text)}`);
}
