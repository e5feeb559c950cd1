import type { Runtime, TaskHandle, TaskStreams } from '../../runtime/runtime.ts';

export interface FollowOptions {
  /** The task is killed with it. */
  signal: AbortSignal;
  output: (stream: 'stdout' | 'stderr', data: Uint8Array) => Promise<void> | void;
  /** Gets the joined streams before the command is let go. */
  joined?: (streams: TaskStreams) => void;
}

/**
 * Join a created task's streams, let it go, wait for its end. An abort kills it; the end is waited for all the same.
 *
 * @throws as `Runtime.start`; the signal's reason.
 */
export async function followTask(
  runtime: Runtime,
  handle: TaskHandle,
  { signal, output, joined }: FollowOptions,
): Promise<number> {
  const streams = await runtime.attach(handle);
  const kill = (): void => {
    runtime.kill(handle, 9, { all: true }).catch(() => undefined);
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    const reading = (async () => {
      for await (const { stream, data } of streams.output()) await output(stream, data);
    })();
    reading.catch(() => undefined);
    signal.throwIfAborted();
    joined?.(streams);
    await runtime.start(handle);
    const exit = await runtime.wait(handle, { signal: new AbortController().signal });
    await reading;
    signal.throwIfAborted();
    return exit.exitCode;
  } finally {
    signal.removeEventListener('abort', kill);
    streams.close();
  }
}
