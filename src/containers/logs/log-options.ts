import { EngineError } from '../../errors/engine-error.ts';
import { checkSyslogOptions } from './drivers/syslog-options.ts';
import { parseBinarySize } from './log-size.ts';

/** What a container's log is to be, as asked for. */
export interface LogConfig {
  /** '': json-file. */
  type: string;
  config: Readonly<Record<string, string>>;
}

export const LOG_DRIVERS = ['journald', 'json-file', 'local', 'none', 'syslog'] as const;
export type LogDriver = (typeof LOG_DRIVERS)[number];

/** Of every driver. */
const COMMON = ['mode', 'max-buffer-size'];
/** Of the copy that `docker logs` reads where the driver itself keeps none here. */
const CACHE = ['cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'];
const FILE = ['max-size', 'max-file', 'compress'];
const ATTRIBUTES = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];
const SYSLOG = [
  'syslog-address',
  'syslog-facility',
  'syslog-format',
  'syslog-tls-ca-cert',
  'syslog-tls-cert',
  'syslog-tls-key',
  'syslog-tls-skip-verify',
];

const OPTIONS: Record<LogDriver, readonly string[]> = {
  'json-file': [...FILE, ...ATTRIBUTES],
  local: FILE,
  none: [],
  journald: ATTRIBUTES,
  syslog: [...SYSLOG, ...ATTRIBUTES],
};

export function driverOf({ type }: LogConfig): LogDriver {
  return LOG_DRIVERS.find((driver) => driver === type) ?? 'json-file';
}

/**
 * What Docker refuses at a container's creation: drivers and options that there are not, modes, and addresses. Values of the rest are
 * told of at its start.
 *
 * @throws EngineError in Docker's words.
 */
export function checkLogOptions(asked: LogConfig): void {
  const known = asked.type === '' || LOG_DRIVERS.some((driver) => driver === asked.type);
  if (!known)
    throw new EngineError(
      'invalid',
      `error looking up logging plugin ${asked.type}: plugin ${JSON.stringify(asked.type)} not found`,
    );
  const driver = driverOf(asked);
  checkMode(asked.config);
  if (driver === 'none') return;
  const names = [...COMMON, ...CACHE, ...OPTIONS[driver]];
  const unknown = Object.keys(asked.config).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new EngineError('invalid', unknownText(unknown, driver));
  if (driver === 'syslog') checkSyslogOptions(asked.config);
}

function unknownText(option: string, driver: LogDriver): string {
  const where = driver === 'local' ? 'log driver local' : `${driver} log driver`;
  return `unknown log opt '${option}' for ${where}`;
}

function checkMode(config: LogConfig['config']): void {
  const { mode = '', 'max-buffer-size': buffer } = config;
  if (!['', 'blocking', 'non-blocking'].includes(mode))
    throw new EngineError('invalid', `logger: logging mode not supported: ${mode}`);
  if (buffer === undefined) return;
  if (mode !== 'non-blocking')
    throw new EngineError(
      'invalid',
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    );
  try {
    parseBinarySize(buffer);
  } catch (error) {
    throw new EngineError('invalid', `error parsing option max-buffer-size: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The daemon's defaults for a container that names no driver, or the same one; as Docker, options by options. */
export function withLogDefaults(asked: LogConfig, defaults: LogConfig): LogConfig {
  const type = asked.type || defaults.type || 'json-file';
  if (type !== (defaults.type || 'json-file')) return { type, config: asked.config };
  return { type, config: { ...defaults.config, ...asked.config } };
}
