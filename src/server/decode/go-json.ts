import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';

/**
 * Reads one JSON value into what a field wants. `field` is where it stands (`.HostConfig.Memory`).
 *
 * Throws EngineError "invalid" in the words of Go's encoding/json. Never called with null, which is absent.
 */
export type Decoder<T> = (value: Json, field: string) => T;

export const string: Decoder<string> = (value, field) =>
  typeof value === 'string' ? value : wrongType(value, field, 'string');

export const boolean: Decoder<boolean> = (value, field) =>
  typeof value === 'boolean' ? value : wrongType(value, field, 'bool');

export const int64: Decoder<bigint> = (value, field) => {
  if (typeof value === 'bigint' && value === BigInt.asIntN(64, value)) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return wrongType(value, field, 'int64');
};

/** A Go int that means no more than 2^53 of anything. */
export const int: Decoder<number> = (value, field) => safeInteger(value) ?? wrongType(value, field, 'int');

/** As int, where Go has an int64. */
export const smallInt64: Decoder<number> = (value, field) =>
  safeInteger(value) ?? wrongType(value, field, 'int64');

export const uint16: Decoder<number> = (value, field) => {
  const number = safeInteger(value);
  return number !== undefined && number >= 0 && number <= 0xffff ? number : wrongType(value, field, 'uint16');
};

export const strings: Decoder<string[]> = (value, field) =>
  Array.isArray(value)
    ? value.map((element) => (element === null ? '' : string(element, field)))
    : wrongType(value, field, '[]string');

/** `Cmd` and `Entrypoint`: a list, or one string that stands for a list of one. */
export const stringOrList: Decoder<string[]> = (value, field) =>
  typeof value === 'string' ? [value] : strings(value, field);

export const stringMap: Decoder<Record<string, string>> = (value, field) =>
  Object.fromEntries(
    entries(value, field, 'map[string]string').map(([key, element]) => [
      key,
      element === null ? '' : string(element, field),
    ]),
  );

/** By name; `goType` as Go calls the whole. */
export function mapOf<T>(goType: string, element: Decoder<T>): Decoder<Record<string, T>> {
  return (value, field) =>
    Object.fromEntries(entries(value, field, goType).map(([key, one]) => [key, element(one, field)]));
}

/** `{"80/tcp":{}}`: a set. */
export const keys: Decoder<string[]> = (value, field) =>
  entries(value, field, 'map[string]struct {}').map(([key, element]) => {
    if (element !== null) entries(element, field, 'struct {}');
    return key;
  });

/** A list whose elements have a decoder of their own. */
export function listOf<T>(element: Decoder<T>): Decoder<T[]> {
  return (value, field) =>
    Array.isArray(value)
      ? value.filter((item) => item !== null).map((item) => element(item, field))
      : wrongType(value, field, '[]struct');
}

/** Takes everything as it is: for fields that are only looked at for being empty. */
export const anything: Decoder<Json> = (value) => value;

/** The fields of an object, found as Go finds them: exact name first, else in any case. Nulls are absent. */
export class Fields {
  readonly #values = new Map<string, Json>();
  readonly #field: string;

  constructor(value: Json, field: string, goType: string) {
    this.#field = field;
    for (const [key, element] of entries(value, field, goType))
      if (element !== null) this.#values.set(key.toLowerCase(), element);
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  /** The field decoded, or undefined where it is absent. */
  get<T>(name: string, decoder: Decoder<T>): T | undefined {
    const value = this.#values.get(name.toLowerCase());
    return value === undefined ? undefined : decoder(value, `${this.#field}.${name}`);
  }
}

/** Go's zero value, for fields that must not be set. */
export function isZero(value: Json): boolean {
  if (value === null || value === '' || value === 0 || value === 0n || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function entries(value: Json, field: string, goType: string): [string, Json][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrongType(value, field, goType);
  return Object.entries(value);
}

function safeInteger(value: Json): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function wrongType(value: Json, field: string, goType: string): never {
  const target = field === '' ? `Go value of type ${goType}` : `Go struct field ${field} of type ${goType}`;
  throw new EngineError('invalid', `invalid JSON: json: cannot unmarshal ${jsonKind(value)} into ${target}`);
}

function jsonKind(value: Json): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return `number ${value}`;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'number' : `number ${value}`;
  return typeof value;
}
