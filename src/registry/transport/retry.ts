import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import { RegistryResponseError } from './response-errors.ts';
import type { RegistryTiming } from './timing.ts';

/**
 * Wait before attempt `attempt` (1 = the first repetition): exponential with full jitter, or as long as the registry asked.
 *
 * @throws `error` where another attempt is of no use; `signal.reason` when aborted.
 */
export async function pauseBefore(
  attempt: number,
  error: unknown,
  {
    timing,
    signal,
    onPause,
  }: { timing: RegistryTiming; signal: AbortSignal; onPause?: ((pauseMs: number) => void) | undefined },
): Promise<void> {
  signal.throwIfAborted();
  const asked = error instanceof RegistryResponseError ? error.retryAfterMs : undefined;
  if (!isTransient(error) || (asked !== undefined && asked > timing.retryAfterMaxMs)) throw error;
  const ceiling = Math.min(timing.retryMaxMs, timing.retryBaseMs * 2 ** (attempt - 1));
  const pauseMs = asked ?? ceiling * (0.5 + Math.random() / 2);
  onPause?.(pauseMs);
  try {
    await sleep(pauseMs, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}

/** Rate limits, a server's troubles, broken connections; never a "no". */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false;
  return error.code === 'registry-rate-limited' || error.code === 'registry-unreachable';
}
