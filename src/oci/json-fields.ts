import { EngineError } from '../errors/engine-error.ts';

export type JsonObject = Record<string, unknown>;

/** Refusals of hostile JSON name the field by its path (`manifest.layers[3].size`). */
export function invalidField(field: string, expected: string): EngineError {
  return new EngineError('invalid', `Invalid ${field}: expected ${expected}`);
}

/** @throws EngineError "invalid" naming `document` unless `bytes` are at most `maxBytes` of UTF-8 JSON holding an object. */
export function parseJsonObject(bytes: Uint8Array, document: string, maxBytes: number): JsonObject {
  if (bytes.length > maxBytes)
    throw new EngineError('invalid', `Invalid ${document}: larger than ${maxBytes} bytes`, {
      code: 'size-exceeded',
    });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new EngineError('invalid', `Invalid ${document}: not JSON`, { cause: error });
  }
  return objectField(value, document);
}

export function objectField(value: unknown, field: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidField(field, 'an object');
  return value as JsonObject;
}

/** As Go decodes it: null and absent are the same. */
export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

export function optionalObject(value: unknown, field: string): JsonObject | undefined {
  return isAbsent(value) ? undefined : objectField(value, field);
}

export function stringField(value: unknown, field: string): string {
  if (typeof value !== 'string') throw invalidField(field, 'a string');
  return value;
}

export function optionalString(value: unknown, field: string): string | undefined {
  return isAbsent(value) ? undefined : stringField(value, field);
}

export function booleanField(value: unknown, field: string): boolean {
  if (isAbsent(value)) return false;
  if (typeof value !== 'boolean') throw invalidField(field, 'true or false');
  return value;
}

/** A whole number from 0 to 2^53 − 1. */
export function sizeField(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw invalidField(field, 'a size in bytes');
  return value;
}

/** An int64 as JSON gives it; nanoseconds mostly. */
export function int64Field(value: unknown, field: string): bigint {
  if (isAbsent(value)) return 0n;
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > 9.223_372e18)
    throw invalidField(field, 'an integer');
  return BigInt(value);
}

export function arrayField(value: unknown, field: string, maxLength: number): unknown[] {
  if (!Array.isArray(value)) throw invalidField(field, 'an array');
  if (value.length > maxLength) throw invalidField(field, `at most ${maxLength} entries`);
  return value;
}

export function optionalStrings(value: unknown, field: string, maxLength = 10_000): string[] | undefined {
  if (isAbsent(value)) return undefined;
  return arrayField(value, field, maxLength).map((item, index) => stringField(item, `${field}[${index}]`));
}

/** An object of strings; null values count as empty, as in Go. */
export function optionalStringMap(
  value: unknown,
  field: string,
  maxLength = 10_000,
): Record<string, string> | undefined {
  if (isAbsent(value)) return undefined;
  const entries = Object.entries(objectField(value, field));
  if (entries.length > maxLength) throw invalidField(field, `at most ${maxLength} entries`);
  return Object.fromEntries(
    entries.map(([key, item]) => [key, isAbsent(item) ? '' : stringField(item, `${field}.${key}`)]),
  );
}

/** Keys of a Go `map[string]struct{}`. */
export function optionalSet(value: unknown, field: string, maxLength = 10_000): string[] {
  if (isAbsent(value)) return [];
  const keys = Object.keys(objectField(value, field));
  if (keys.length > maxLength) throw invalidField(field, `at most ${maxLength} entries`);
  return keys;
}
