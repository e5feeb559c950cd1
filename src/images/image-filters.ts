import { EngineError } from '../errors/engine-error.ts';
import { parseReference } from '../oci/reference.ts';
import { isReferencePattern, matchesReference } from '../oci/reference-pattern.ts';
import { booleanFilter, checkFilterNames, type Filters, labelFilter } from '../wire/filters.ts';
import { parseTimeParameter } from '../wire/time.ts';
import type { ImageView } from './image-backend.ts';

/** What a filter has to look up. */
export interface FilterContext {
  /** @throws EngineError "not-found". */
  createdOf: (name: string) => number;
  nowMs: number;
}

type Predicate = (view: ImageView) => boolean;

/**
 * Compile the filters of `GET /images/json` (`dangling label before since until reference`) and of prune (`label label! until`).
 *
 * @throws EngineError "invalid", in Docker's words, on an unknown filter or value.
 */
export function imageFilter(filters: Filters, context: FilterContext): (view: ImageView) => boolean {
  checkFilterNames(filters, Object.keys(TESTS));
  const predicates = [...filters].flatMap(([name, values]) => TESTS[name]?.(values, filters, context) ?? []);
  return (view) => predicates.every((predicate) => predicate(view));
}

type Test = (values: readonly string[], filters: Filters, context: FilterContext) => Predicate;

const TESTS: Record<string, Test> = {
  dangling: (_, filters) => {
    const wanted = booleanFilter(filters, 'dangling');
    return (view) => isDangling(view) === wanted;
  },
  label: isLabelled,
  'label!': isLabelled,
  before: (names, _, { createdOf }) => isBefore(names.map(createdOf)),
  since: (names, _, { createdOf }) => {
    const times = names.map(createdOf);
    return (view) => times.every((time) => createdMs(view) > time);
  },
  until: (texts, _, { nowMs }) =>
    isBefore(texts.map((text) => Number(parseTimeParameter(text, BigInt(nowMs) * 1_000_000n)) / 1e6)),
  reference: (patterns) => {
    if (!patterns.every(isReferencePattern)) throw new EngineError('invalid', 'syntax error in pattern');
    return (view) => referencesMatching(view, patterns).length > 0;
  },
};

function isLabelled(_: readonly string[], filters: Filters): Predicate {
  const matches = labelFilter(filters);
  return ({ config }) => matches(config.config.labels);
}

function isBefore(times: readonly number[]): Predicate {
  return (view) => times.every((time) => createdMs(view) < time);
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

export function createdMs(view: ImageView): number {
  const time = view.created === undefined ? Number.NaN : Date.parse(view.created);
  return Number.isNaN(time) ? 0 : time;
}
