import type { CachePolicy, CacheSpace } from '../builder/builder.ts';
import { parseCacheFilters } from '../builder/solver/cache-filter.ts';
import type { CacheCollection } from '../builder/solver/prune-cache.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import { cacheSelection } from '../server/decode/cache-selection.ts';

const SIZE = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i;
const UNITS = ['', 'k', 'm', 'g', 't', 'p'];

/** Read `builder`: sizes as dockerd reads them (`20GB` is 20 · 2³⁰). @throws EngineError "invalid" naming the key. */
export function buildCacheSettings(builder: unknown): CacheCollection {
  const gc = objectAt(objectAt(builder, 'builder')?.['gc'], 'builder.gc') ?? {};
  return {
    enabled: flagAt(gc['enabled'], 'builder.gc.enabled') ?? true,
    space: {
      reservedBytes:
        sizeAt(gc['defaultReservedSpace'], 'builder.gc.defaultReservedSpace') ||
        sizeAt(gc['defaultKeepStorage'], 'builder.gc.defaultKeepStorage'),
      maxUsedBytes: sizeAt(gc['defaultMaxUsedSpace'], 'builder.gc.defaultMaxUsedSpace'),
      minFreeBytes: sizeAt(gc['defaultMinFreeSpace'], 'builder.gc.defaultMinFreeSpace'),
    },
    policies: policiesAt(gc['policy']),
  };
}

function policiesAt(policy: unknown): CachePolicy[] | undefined {
  if (policy === undefined || policy === null) return undefined;
  if (!Array.isArray(policy)) throw wrong('builder.gc.policy', 'an array');
  return policy.map((rule: unknown, at) => policyOf(rule, `builder.gc.policy[${at}]`));
}

function policyOf(rule: unknown, field: string): CachePolicy {
  const given = objectAt(rule, field) ?? {};
  const space: CacheSpace = {
    reservedBytes:
      sizeAt(given['reservedSpace'], `${field}.reservedSpace`) ||
      sizeAt(given['keepStorage'], `${field}.keepStorage`),
    maxUsedBytes: sizeAt(given['maxUsedSpace'], `${field}.maxUsedSpace`),
    minFreeBytes: sizeAt(given['minFreeSpace'], `${field}.minFreeSpace`),
  };
  const all = flagAt(given['all'], `${field}.all`) ?? false;
  const filters = filtersAt(given['filter'], `${field}.filter`);
  try {
    const selection = cacheSelection(filters);
    parseCacheFilters(selection.filters ?? []);
    return { all, ...space, ...selection };
  } catch (error) {
    throw new EngineError('invalid', `invalid ${field}.filter: ${messageOf(error)}`, { cause: error });
  }
}

/** `["unused-for=48h", "type=exec.cachemount"]` */
function filtersAt(value: unknown, field: string): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  if (value === undefined || value === null) return filters;
  if (!Array.isArray(value)) throw wrong(field, 'an array');
  for (const text of value as unknown[]) {
    const [, name = '', given = ''] = (typeof text === 'string' && /^([^=]+)=(.*)$/.exec(text)) || [];
    if (name === '') throw wrong(field, 'of the form name=value');
    const key = name.trim().toLowerCase();
    filters.set(key, [...(filters.get(key) ?? []), given.trim()]);
  }
  return filters;
}

function flagAt(value: unknown, field: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw wrong(field, 'true or false');
  return value;
}

function objectAt(value: unknown, field: string): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(field, 'an object');
  return value as Record<string, unknown>;
}

/** `20GB`, `512MiB`, or a number of bytes; 0 where it is not given. */
function sizeAt(value: unknown, field: string): number {
  if (value === undefined || value === null || value === '') return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  const match = typeof value === 'string' ? SIZE.exec(value) : null;
  if (match === null) throw wrong(field, 'a size such as 20GB');
  const [, number = '0', unit = ''] = match;
  return Math.floor(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
}

function wrong(field: string, what: string): EngineError {
  return new EngineError('invalid', `invalid ${field}: must be ${what}`);
}
