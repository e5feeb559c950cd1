import { readFileSync } from 'node:fs';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import { type Setting, type SettingType, settings } from './setting-table.ts';

export const OWN_CONFIG = '/etc/sampan/daemon.json';
export const DOCKER_CONFIG = '/etc/docker/daemon.json';
const MAX_BYTES = 1 << 20;

export interface ConfigFile {
  /** undefined: there is none, and none was asked for. */
  path: string | undefined;
  values: ReadonlyMap<string, unknown>;
  warnings: string[];
}

/**
 * Read the file that was named, else ours, else Docker's (from which nothing is taken that a running Docker owns).
 *
 * @throws EngineError "invalid" naming the file and the key.
 */
export function readConfigFile(
  named: string | undefined,
  candidates: readonly string[] = [OWN_CONFIG, DOCKER_CONFIG],
): ConfigFile {
  for (const path of named === undefined ? candidates : [named]) {
    const text = readText(path, named !== undefined);
    if (text !== undefined) return parseConfig(path, text);
  }
  return { path: undefined, values: new Map(), warnings: [] };
}

function readText(path: string, required: boolean): string | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_BYTES) throw refuse(path, `it is larger than ${MAX_BYTES} bytes`);
    return bytes.toString('utf8');
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' && !required) return undefined;
    if (error instanceof EngineError) throw error;
    throw refuse(path, messageOf(error));
  }
}

export function parseConfig(path: string, text: string): ConfigFile {
  const object = text.trim() === '' ? {} : parseObject(path, text);
  const known = new Map(settings.map((setting) => [setting.key, setting]));
  const unknown = Object.keys(object).filter((key) => !known.has(key) && !key.startsWith('_comment'));
  if (unknown.length > 0)
    throw refuse(
      path,
      `the following directives don't match any configuration option: ${unknown.join(', ')}`,
    );
  const values = new Map<string, unknown>();
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(object)) {
    const setting = known.get(key);
    if (setting === undefined || value === null) continue;
    if (!fits(setting.type, value))
      throw refuse(path, `${key} must be ${typeName(setting.type)}, not ${JSON.stringify(value)}`);
    if (path === DOCKER_CONFIG && setting.shared === false) {
      warnings.push(`${key} in ${path} belongs to Docker and is not used here`);
      continue;
    }
    judge({ path, setting, value, warnings });
    values.set(key, value);
  }
  return { path, values, warnings };
}

function judge({
  path,
  setting,
  value,
  warnings,
}: {
  path: string;
  setting: Setting;
  value: unknown;
  warnings: string[];
}): void {
  if (setting.use === 'honoured' || setting.neutral?.includes(JSON.stringify(value))) return;
  const shown = `${setting.key}: ${JSON.stringify(value)}`;
  if (setting.use === 'refused')
    throw refuse(path, `${shown} is not supported`, 'Take it out, or use its default.');
  warnings.push(`${shown} in ${path} has no effect here`);
}

function parseObject(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(path, messageOf(error));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(path, 'expected a JSON object');
  return value as Record<string, unknown>;
}

function fits(type: SettingType, value: unknown): boolean {
  switch (type) {
    case 'any':
      return true;
    case 'bool':
      return typeof value === 'boolean';
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'map':
      return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
    case 'object':
      return isObject(value);
    case 'string':
    case 'number':
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function typeName(type: SettingType): string {
  const names = {
    string: 'a string',
    bool: 'true or false',
    number: 'a number',
    strings: 'a list of strings',
    map: 'an object of strings',
    object: 'an object',
    any: 'a value',
  };
  return names[type];
}

function refuse(path: string, reason: string, hint?: string): EngineError {
  return new EngineError(
    'invalid',
    `unable to configure the daemon with file ${path}: ${reason}`,
    hint === undefined ? {} : { hint },
  );
}
