import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { anything, type Decoder, type Fields, isZero } from './go-json.ts';

/** What becomes of one field of a request: every field of a body has one, so that none is dropped unseen. */
export type FieldRule<Target> =
  | { class: 'honoured'; apply: (target: Target, fields: Fields, name: string) => void }
  | { class: 'warned'; warning: string; isHarmless: (value: Json) => boolean }
  | { class: 'refused'; isHarmless: (value: Json) => boolean; feature: string }
  | { class: 'ignored' };

/** The field sets something. */
export function honour<Target, T>(
  decoder: Decoder<T>,
  set: (target: Target, value: T) => void,
): FieldRule<Target> {
  return {
    class: 'honoured',
    apply: (target, fields, name) => {
      const value = fields.get(name, decoder);
      if (value !== undefined) set(target, value);
    },
  };
}

/** A value other than the harmless ones is dropped, and the answer says so. */
export function warn(warning: string, harmless: readonly Json[] = []): FieldRule<unknown> {
  return { class: 'warned', warning, isHarmless: (value) => isZero(value) || harmless.includes(value) };
}

/** Not built yet: a value other than the harmless ones fails the request. `feature` says what was asked for. */
export function refuse(feature: string, harmless: readonly Json[] = []): FieldRule<unknown> {
  return { class: 'refused', feature, isHarmless: (value) => isZero(value) || harmless.includes(value) };
}

/** Has no meaning here, whatever it holds (Windows, or the client's own notes). */
export function ignore(): FieldRule<unknown> {
  return { class: 'ignored' };
}

/**
 * Read all fields that the table knows into `target`.
 *
 * @returns the warnings for the answer.
 * @throws EngineError "invalid" on wrong types, "not-implemented" on refused fields, naming them.
 */
export function applyRules<Target>(
  rules: Readonly<Record<string, FieldRule<Target>>>,
  fields: Fields,
  options: { target: Target; path: string },
): string[] {
  const warnings: string[] = [];
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.class === 'honoured') rule.apply(options.target, fields, name);
    if (rule.class !== 'warned' && rule.class !== 'refused') continue;
    const value = fields.get(name, anything);
    if (value === undefined || rule.isHarmless(value)) continue;
    if (rule.class === 'refused')
      throw new EngineError(
        'not-implemented',
        `${options.path}${name} (${rule.feature}) is not implemented yet`,
      );
    warnings.push(rule.warning);
  }
  return warnings;
}
