import { EngineError } from '../errors/engine-error.ts';

/** daemon.json's `builder.gc`: how much of the build cache stays. */
export interface BuildCacheSettings {
  enabled: boolean;
  /** Bytes; 0: no limit. */
  keepBytes: number;
}

/** As dockerd's own default. */
const DEFAULT_KEEP_BYTES = 20 * 1000 ** 3;
const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/**
 * Read `builder`. The limit is `defaultMaxUsedSpace`, `defaultKeepStorage` or `defaultReservedSpace`, or the greatest that a policy's last
 * rule leaves.
 *
 * @throws EngineError "invalid" naming the key.
 */
export function buildCacheSettings(builder: unknown): BuildCacheSettings {
  const gc = objectAt(objectAt(builder, 'builder')?.['gc'], 'builder.gc');
  if (gc === undefined) return { enabled: true, keepBytes: DEFAULT_KEEP_BYTES };
  const { enabled } = gc;
  if (enabled !== undefined && typeof enabled !== 'boolean')
    throw wrong('builder.gc.enabled', 'true or false');
  const named = ['defaultMaxUsedSpace', 'defaultKeepStorage', 'defaultReservedSpace']
    .map((key) => sizeAt(gc[key], `builder.gc.${key}`))
    .find((size) => size !== undefined);
  return { enabled: enabled ?? true, keepBytes: named ?? policyLimit(gc['policy']) ?? DEFAULT_KEEP_BYTES };
}

function policyLimit(policy: unknown): number | undefined {
  if (policy === undefined || policy === null) return undefined;
  if (!Array.isArray(policy)) throw wrong('builder.gc.policy', 'an array');
  const limits = policy.flatMap((rule: unknown, at) => {
    const field = `builder.gc.policy[${at}]`;
    const object = objectAt(rule, field) ?? {};
    return ['maxUsedSpace', 'keepStorage', 'reservedSpace'].flatMap(
      (key) => sizeAt(object[key], `${field}.${key}`) ?? [],
    );
  });
  return limits.length === 0 ? undefined : Math.max(...limits);
}

function objectAt(value: unknown, field: string): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(field, 'an object');
  return value as Record<string, unknown>;
}

/** `20GB`, `512MiB`, or a number of bytes. */
function sizeAt(value: unknown, field: string): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(value.trim()) : null;
  if (match === null) throw wrong(field, 'a size such as 20GB');
  const [, number = '0', unit = '', binary = ''] = match;
  const scale = UNITS[unit.toLowerCase()] ?? 1;
  return Math.floor(Number(number) * (binary === '' ? scale : 1024 ** Math.round(Math.log10(scale) / 3)));
}

function wrong(field: string, what: string): EngineError {
  return new EngineError('invalid', `invalid ${field}: must be ${what}`);
}
