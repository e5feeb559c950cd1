import type { CacheSelection } from '../../builder/builder.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { checkFilterNames } from '../../wire/filters.ts';
import { parseTimeParameter } from '../../wire/time.ts';

const FIELDS = ['id', 'parent', 'type', 'description', 'inuse', 'shared', 'private'];
const AGES = ['until', 'unused-for'];
/** `system prune` hands its filters on to all: what is built has no labels, and as in Docker none is looked for. */
const PASSED_OVER = ['label', 'label!'];

/** Docker's filters of `POST /build/prune`, as the builder takes them. @throws EngineError "invalid" in Docker's words. */
export function cacheSelection(
  filters: ReadonlyMap<string, readonly string[]>,
  nowNano: bigint = BigInt(Date.now()) * 1_000_000n,
): CacheSelection {
  try {
    checkFilterNames(filters, [...FIELDS, ...AGES, ...PASSED_OVER]);
    const selectors = [...filters]
      .filter(([name]) => FIELDS.includes(name))
      .map(([name, values]) => selectorOf(name, only(values)));
    const unusedForNano = ageOf(filters, nowNano);
    return {
      filters: selectors.length === 0 ? [] : [selectors.join(',')],
      ...(unusedForNano === undefined ? {} : { unusedForNano }),
    };
  } catch (error) {
    throw new EngineError('invalid', `failed to prune build cache: ${messageOf(error)}`, { cause: error });
  }
}

function only(values: readonly string[]): string {
  const [value = '', ...others] = values;
  if (others.length > 0) throw new EngineError('invalid', 'filters expect only one value');
  return value;
}

/** An id may be cut short. */
function selectorOf(name: string, value: string): string {
  const quoted = `"${value.replace(/["\\]/g, '\\$&')}"`;
  return `${name}${name === 'id' ? '~=' : '=='}${quoted}`;
}

function ageOf(filters: ReadonlyMap<string, readonly string[]>, nowNano: bigint): bigint | undefined {
  const given = AGES.filter((name) => filters.has(name));
  if (given.length > 1) throw new EngineError('invalid', 'conflicting filters: "until" and "unused-for"');
  const [name] = given;
  if (name === undefined) return undefined;
  const text = only(filters.get(name) ?? []);
  try {
    return nowNano - parseTimeParameter(text, nowNano);
  } catch (error) {
    throw new EngineError(
      'invalid',
      `"${name}" filter expects a duration (e.g., '24h') or a timestamp: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
