import { EngineError } from '../errors/engine-error.ts';

export { abortable } from '../sys/abortable.ts';

/** A runtime that hangs must not hold its container for ever. @throws EngineError "internal" `<what> has not answered in … ms`. */
export async function inTime<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const text = `${what} has not answered in ${timeoutMs} ms`;
  const timer = setTimeout(() => reject(new EngineError('internal', text)), timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with the work, or after the time. */
export async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
