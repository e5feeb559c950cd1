import { EngineError } from '../errors/engine-error.ts';
import { parseReference } from '../oci/reference.ts';
import { isReferencePattern, matchesReference } from '../oci/reference-pattern.ts';
import type { ImageView } from './image-backend.ts';

export type Filters = ReadonlyMap<string, string[]>;

/** What a filter has to look up. */
export interface FilterContext {
  /** @throws EngineError "not-found". */
  createdOf: (name: string) => number;
  nowMs: number;
}

type Predicate = (view: ImageView) => boolean;

/**
 * Compile the filters of `GET /images/json` (`dangling label before since until reference`) and of prune (`dangling label label! until`).
 *
 * @throws EngineError "invalid", in Docker's words, on an unknown filter or value.
 */
export function imageFilter(filters: Filters, context: FilterContext): (view: ImageView) => boolean {
  const predicates = [...filters].map(([key, values]) => predicateOf(key, values, context));
  return (view) => predicates.every((predicate) => predicate(view));
}

function predicateOf(key: string, values: string[], context: FilterContext): Predicate {
  switch (key) {
    case 'dangling':
      return danglingFilter(values);
    case 'label':
      return (view) => values.every((value) => hasLabel(view, value));
    case 'label!':
      return (view) => !values.some((value) => hasLabel(view, value));
    case 'before':
      return (view) => values.every((name) => createdMs(view) < context.createdOf(name));
    case 'since':
      return (view) => values.every((name) => createdMs(view) > context.createdOf(name));
    case 'until': {
      const until = untilMs(values, context.nowMs);
      return (view) => createdMs(view) < until;
    }
    case 'reference':
      if (!values.every(isReferencePattern)) throw new EngineError('invalid', 'syntax error in pattern');
      return (view) => referencesMatching(view, values).length > 0;
    default:
      throw new EngineError('invalid', `invalid filter '${key}'`);
  }
}

function danglingFilter(values: string[]): Predicate {
  const wanted = new Set(values.map((value) => booleanOf('dangling', value)));
  if (wanted.size > 1) return () => false;
  return (view) => wanted.has(isDangling(view));
}

/** A digest alone does not count as a name. */
export function isDangling(view: ImageView): boolean {
  return view.repoTags.length === 0;
}

/** The tags that a `reference` filter leaves to show. */
export function referencesMatching(view: ImageView, patterns: readonly string[]): string[] {
  return [...view.repoTags, ...view.repoDigests].filter((name) => {
    const reference = parseReference(name);
    return patterns.some((pattern) => matchesReference(pattern, reference));
  });
}

function hasLabel({ config }: ImageView, condition: string): boolean {
  const [name, value] = splitOnce(condition);
  const { labels } = config.config;
  return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

export function createdMs(view: ImageView): number {
  const time = view.created === undefined ? Number.NaN : Date.parse(view.created);
  return Number.isNaN(time) ? 0 : time;
}

/** As Go's filters.GetBoolOrDefault. */
export function booleanOf(filter: string, value: string): boolean {
  if (['1', 'true', 't', 'T', 'True', 'TRUE'].includes(value)) return true;
  if (['0', 'false', 'f', 'F', 'False', 'FALSE'].includes(value)) return false;
  throw new EngineError('invalid', `invalid filter '${filter}=[${value}]'`);
}

const UNITS_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3600_000,
};

/** A Go duration before now, a Unix time, or RFC 3339 in its shorter forms. */
function untilMs(values: string[], nowMs: number): number {
  const [text = ''] = values;
  if (values.length !== 1) throw new EngineError('invalid', 'more than one until filter specified');
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text)
    return (
      nowMs - parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS_MS[unit ?? ''] ?? 0), 0)
    );
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const time = Date.parse(/T\d\d$/.test(text) ? `${text}:00` : text);
  if (Number.isNaN(time))
    throw new EngineError('invalid', `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return time;
}
