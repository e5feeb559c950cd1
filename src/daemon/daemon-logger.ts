import { pino } from 'pino';
import type { LogFields, Logger } from '../errors/logger.ts';

const LEVEL_NAMES: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
  60: 'fatal',
};

/** Structured logs on standard error: `text` is logfmt, as dockerd writes it, `json` one object a line. */
export function createLogger(
  options: { level: string; format: 'text' | 'json' },
  write: (line: string) => void = toStderr,
): Logger {
  const destination = { write: options.format === 'json' ? write : (line: string) => write(toLogfmt(line)) };
  const logger = pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
  const emit =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}) =>
      logger[level](plain(fields), message);
  return { debug: emit('debug'), info: emit('info'), warn: emit('warn'), error: emit('error') };
}

function plain(fields: LogFields): Record<string, string | number | boolean | undefined> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  );
}

function toLogfmt(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as {
    time: string;
    level: number;
    msg: string;
  } & Record<string, unknown>;
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${quote(String(value))}`);
  return `${[`time=${quote(time)}`, `level=${LEVEL_NAMES[level] ?? level}`, `msg=${quote(msg)}`, ...pairs].join(' ')}\n`;
}

/** As logrus does: bare where that is safe, else a quoted string. */
function quote(text: string): string {
  return /^[A-Za-z0-9._/@^+-]+$/.test(text) ? text : JSON.stringify(text);
}

function toStderr(line: string): void {
  process.stderr.write(line);
}
