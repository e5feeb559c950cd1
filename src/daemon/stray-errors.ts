import type { EventEmitter } from 'node:events';
import type { Logger } from '../errors/logger.ts';

/**
 * An error that nobody waited for is a bug, but one that concerns one request or one container: it is told with its stack, and the daemon
 * goes on for all the others.
 */
export function logStrayErrors(source: Pick<EventEmitter, 'on'>, logger: Logger): void {
  const report = (what: string) => (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined;
    logger.error(what, { error: stack ?? String(error) });
  };
  source.on('unhandledRejection', report('A promise failed that nobody waited for'));
  source.on('uncaughtException', report('An error that nobody caught'));
}
