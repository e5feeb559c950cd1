import { createHash } from 'node:crypto';
import type { Digest } from '../../oci/digest.ts';
import type { BuildStep } from './build-step.ts';

/** A digest of plain values; steps among them count by their id, bigints by their digits. */
export function digestOf(value: unknown): Digest {
  const text = JSON.stringify(value, (_key, one: unknown) => {
    if (typeof one === 'bigint') return `${one}n`;
    return isStep(one) ? one.id : one;
  });
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
}

function isStep(value: unknown): value is BuildStep {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && 'id' in value && 'ignoreCache' in value
  );
}
