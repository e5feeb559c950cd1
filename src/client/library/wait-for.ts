import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors/engine-error.ts';
import type { Container } from './container.ts';

export interface WaitOptions {
  /** A minute unless said otherwise. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

const TIMEOUT_MS = 60_000;
const PAUSE_MS = 50;
/** A proxy takes a connection whose target isn't there, and drops it. */
const KEPT_MS = 100;

/** @throws EngineError "unavailable" when the container ends before, or in the time given. */
export function waitForLog(
  container: Container,
  pattern: RegExp | string,
  options: WaitOptions,
): Promise<string> {
  const fits = (text: string) =>
    typeof pattern === 'string' ? text.includes(pattern) : text.search(pattern) >= 0;
  return within(options, `a line with ${String(pattern)}`, async (signal) => {
    for await (const { text } of container.logs({ follow: true, signal }).lines())
      if (fits(text)) return text;
    throw ended(container, `printing a line with ${String(pattern)}`);
  });
}

export function waitForHealthy(container: Container, options: WaitOptions): Promise<void> {
  return within(options, 'the container to be healthy', (signal) =>
    repeat(signal, async () => {
      const { State } = await container.inspect();
      const health = State['Health'] as { Status?: string } | null | undefined;
      if (health?.Status === undefined || health.Status === 'none')
        throw new EngineError('invalid', `Container ${container.id} has no health check`);
      if (!State.Running) throw ended(container, 'being healthy');
      return health.Status === 'healthy' ? { value: undefined } : undefined;
    }),
  );
}

export function waitForPort(
  container: Container,
  port: number,
  options: WaitOptions,
): Promise<{ host: string; port: number }> {
  return within(options, `port ${port}`, async (signal) => {
    const address = await container.address(port);
    return await repeat(signal, async () => {
      if (await takesConnections(address, signal)) return { value: address };
      if (!(await container.inspect()).State.Running) throw ended(container, `listening on port ${port}`);
      return undefined;
    });
  });
}

async function repeat<T>(signal: AbortSignal, look: () => Promise<{ value: T } | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found.value;
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

function takesConnections(address: { host: string; port: number }, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    let timer: NodeJS.Timeout | undefined;
    const settle = (kept: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', refused);
      socket.destroy();
      resolve(kept);
    };
    const refused = () => settle(false);
    socket.on('error', refused).on('end', refused).on('close', refused);
    // One that speaks first is there for sure.
    socket.once('data', () => settle(true));
    socket.once('connect', () => {
      timer = setTimeout(() => settle(true), KEPT_MS);
    });
    signal.addEventListener('abort', refused, { once: true });
  });
}

/** `work` with a signal that the caller's or the time's end aborts. */
async function within<T>(
  { timeoutMs = TIMEOUT_MS, signal }: WaitOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => abort.abort(new EngineError('unavailable', `Waited ${timeoutMs} ms for ${what}`)),
    timeoutMs,
  );
  try {
    return await work(abort.signal);
  } catch (error) {
    // What an abort makes of a call under way varies; its reason counts.
    abort.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function ended(container: Container, before: string): EngineError {
  return new EngineError('unavailable', `Container ${container.id} ended without ${before}`);
}
