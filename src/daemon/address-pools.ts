import { EngineError } from '../errors/engine-error.ts';
import type { SubnetPool } from '../network/subnet-pools.ts';
import { bitsOf, networkOf, readCidr } from '../sys/ip.ts';

/**
 * `[{"base": "10.10.0.0/16", "size": 24}]`, or `base=10.10.0.0/16,size=24` for each flag. Undefined: nobody named any.
 *
 * @throws EngineError "invalid"
 */
export function addressPools(inFile: unknown, flags: readonly string[]): SubnetPool[] | undefined {
  const given = inFile === undefined ? flags.map(fieldsOf) : inFile;
  if (!Array.isArray(given)) throw refuse(JSON.stringify(given), 'it must be a list');
  return given.length === 0 ? undefined : given.map(poolOf);
}

function fieldsOf(text: string): Record<string, unknown> {
  const fields = Object.fromEntries(text.split(',').map((field) => field.split('=', 2))) as Record<
    string,
    string
  >;
  return { base: fields['base'], size: Number(fields['size']) };
}

function poolOf(value: unknown): SubnetPool {
  const { base, size } = (value ?? {}) as { base?: unknown; size?: unknown };
  const shown = JSON.stringify(value);
  const cidr = typeof base === 'string' ? readCidr(base) : undefined;
  if (cidr === undefined) throw refuse(shown, 'its base must be a subnet, such as 10.10.0.0/16');
  const isSize = typeof size === 'number' && Number.isInteger(size);
  if (!isSize || size < cidr.prefixLength || size > bitsOf(cidr.family))
    throw refuse(shown, 'its size must be the length of a prefix within the base');
  return { base: networkOf(cidr), prefixLength: size };
}

function refuse(shown: string, reason: string): EngineError {
  return new EngineError('invalid', `Invalid default-address-pools ${shown}: ${reason}`);
}
