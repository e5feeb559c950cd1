import type { Logger } from '../../errors/logger.ts';

const MAX_REMEMBERED = 1000;

/**
 * A logger that tells a warning of one mirror once in a while: the threads of a pull, each with a client of its own, find out about it one after the other.
 */
export function warnOnce(logger: Logger, quietMs: number): Logger {
  const told = new Map<string, number>();
  return {
    debug: (...line) => logger.debug(...line),
    info: (...line) => logger.info(...line),
    error: (...line) => logger.error(...line),
    warn(message, fields = {}) {
      const key = JSON.stringify([message, String(fields['mirror'])]);
      const now = performance.now();
      if (fields['mirror'] !== undefined && (told.get(key) ?? 0) > now) return logger.debug(message, fields);
      if (told.size >= MAX_REMEMBERED) told.clear();
      told.set(key, now + quietMs);
      logger.warn(message, fields);
    },
  };
}
