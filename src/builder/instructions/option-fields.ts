import { parseBool } from '../../text/parse-bool.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { csvFields } from './csv-fields.ts';

/** The fields of a `--mount` or `--device`. @throws DockerfileError without a range. */
export function optionFields(text: string, noun: 'mounts' | 'devices'): string[] {
  try {
    return csvFields(text);
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    throw new DockerfileError(`failed to parse csv ${noun}: ${error.message}`);
  }
}

/** `key=value`, the key in lower case; without `=` the value is undefined. */
export function cutOption(field: string): { key: string; value: string | undefined } {
  const at = field.indexOf('=');
  if (at < 0) return { key: field.toLowerCase(), value: undefined };
  return { key: field.slice(0, at).toLowerCase(), value: field.slice(at + 1) };
}

/** @throws DockerfileError without a range. */
export function requireBool(key: string, value: string): boolean {
  const parsed = parseBool(value);
  if (parsed === undefined) throw new DockerfileError(`invalid value for ${key}: ${value}`);
  return parsed;
}
