import { ExitError } from '../cli-error.ts';

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/**
 * Do `work` so that Ctrl-C ends it by its signal and it can clear away. A second one ends the program at once.
 *
 * @throws ExitError without a word, with 128 plus the signal's number, when it was interrupted.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const handlers = Object.entries(SIGNALS).map(([name, number]) => {
    const handler = () => {
      if (controller.signal.aborted) process.exit(128 + number);
      controller.abort(new ExitError(128 + number));
    };
    process.on(name, handler);
    return { name, handler };
  });
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    for (const { name, handler } of handlers) process.off(name, handler);
  }
}
