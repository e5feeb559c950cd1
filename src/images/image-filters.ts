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

const FILTERS = ['dangling', 'label', 'label!', 'before', 'since', 'until', 'reference'];

/**
 * Compile the filters of `GET /images/json` (`dangling label before since until reference`) and of prune (`label label! until`).
 *
 * @throws EngineError "invalid", in Docker's words, on an unknown filter or value.
 */
export function imageFilter(filters: Filters, context: FilterContext): (view: ImageView) => boolean {
  checkFilterNames(filters, FILTERS);
  const values = (name: string): readonly string[] => filters.get(name) ?? [];
  const dangling = booleanFilter(filters, 'dangling');
  const isLabelled = labelFilter(filters);
  const nowNano = BigInt(context.nowMs) * 1_000_000n;
  const before = [
    ...values('before').map(context.createdOf),
    ...values('until').map((text) => Number(parseTimeParameter(text, nowNano)) / 1e6),
  ];
  const since = values('since').map(context.createdOf);
  const patterns = filters.get('reference');
  if (patterns?.every(isReferencePattern) === false)
    throw new EngineError('invalid', 'syntax error in pattern');
  return (view) =>
    (dangling === undefined || isDangling(view) === dangling) &&
    isLabelled(view.config.config.labels) &&
    before.every((time) => createdMs(view) < time) &&
    since.every((time) => createdMs(view) > time) &&
    (patterns === undefined || referencesMatching(view, patterns).length > 0);
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
