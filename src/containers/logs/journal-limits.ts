import { EngineError } from '../../errors/engine-error.ts';
import { parseBool, parseBoolRefusal } from '../../text/parse-bool.ts';
import { driverOf, type LogConfig } from './log-options.ts';
import { parseDecimalSize } from './log-size.ts';

/** How much of a container's output is kept, and how. */
export interface JournalLimits {
  /** Infinity: without end. */
  maxFileBytes: number;
  /** With the one that is written to. */
  maxFiles: number;
  compress: boolean;
}

/** Where nothing is said: a log has an end, at 100 MB in all. */
const DEFAULT_FILE_BYTES = 20e6;
const DEFAULT_FILES = 5;
/** The value of `max-size` that asks for a log without one. */
const UNLIMITED = '-1';

/**
 * Undefined: nothing is kept.
 *
 * @throws EngineError "invalid" for values that make no sense, in Docker's words.
 */
export function journalLimits(asked: LogConfig): JournalLimits | undefined {
  const { config } = asked;
  switch (driverOf(asked)) {
    case 'none':
      return undefined;
    case 'json-file':
      return plainLimits(config);
    case 'local':
      return packedLimits(config, '');
    default:
      return boolean(config['cache-disabled'] ?? 'false') ? undefined : packedLimits(config, 'cache-');
  }
}

/** A size without a number of files means one file, as in Docker. */
function plainLimits(config: LogConfig['config']): JournalLimits {
  const { 'max-size': size, 'max-file': files } = config;
  const maxFileBytes = size === undefined ? DEFAULT_FILE_BYTES : fileBytes(size);
  const maxFiles = files === undefined ? (size === undefined ? DEFAULT_FILES : 1) : fileCount(files);
  const compress = boolean(config['compress'] ?? 'false');
  if (compress && (maxFiles < 2 || size === undefined || size === UNLIMITED))
    throw new EngineError(
      'invalid',
      'compress cannot be true when max-file is less than 2 or max-size is not set',
    );
  return { maxFileBytes, maxFiles, compress };
}

function packedLimits(config: LogConfig['config'], prefix: '' | 'cache-'): JournalLimits {
  const value = <T>(name: string, parse: (text: string) => T, otherwise: T): T => {
    const text = config[`${prefix}${name}`];
    if (text === undefined) return otherwise;
    try {
      return parse(text);
    } catch (error) {
      throw new EngineError('invalid', `invalid value for ${name}: ${text}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  const maxFileBytes = value('max-size', fileBytes, DEFAULT_FILE_BYTES);
  const maxFiles = value('max-file', fileCount, DEFAULT_FILES);
  const compress = value('compress', boolean, maxFiles > 1);
  if (compress && maxFiles < 2)
    throw new EngineError('invalid', 'compression cannot be enabled when max file count is 1');
  return { maxFileBytes, maxFiles, compress };
}

function fileBytes(text: string): number {
  if (text === UNLIMITED) return Number.POSITIVE_INFINITY;
  const bytes = parseDecimalSize(text);
  if (bytes > 0) return bytes;
  throw new EngineError('invalid', 'max-size must be a positive number');
}

function fileCount(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw new EngineError('invalid', `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) >= 1) return Number(text);
  throw new EngineError('invalid', 'max-file cannot be less than 1');
}

function boolean(text: string): boolean {
  const value = parseBool(text);
  if (value === undefined) throw new EngineError('invalid', parseBoolRefusal(text));
  return value;
}
