import { fileURLToPath } from 'node:url';
import type { ReadRequest } from './read-request.ts';
import { RootChild } from './root-child.ts';

const program = fileURLToPath(new URL('./read-child.ts', import.meta.url));

/**
 * Read a root file system in a child process. The stream ends when the child has done well, fails with what it found otherwise, and ends the child when
 * it is cancelled or `signal` aborts.
 */
export function readRoot(request: ReadRequest, signal: AbortSignal): ReadableStream<Uint8Array> {
  signal.throwIfAborted();
  return outputOf(new RootChild(program, request), signal);
}

/** What a child has still to say, as a stream that ends it when it is cancelled or `signal` aborts. */
export function outputOf(child: RootChild, signal: AbortSignal): ReadableStream<Uint8Array> {
  const abort = (): void => child.kill();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const bytes = await child.next();
        signal.throwIfAborted();
        if (bytes !== undefined) return controller.enqueue(bytes);
        signal.removeEventListener('abort', abort);
        controller.close();
      },
      async cancel() {
        signal.removeEventListener('abort', abort);
        child.kill();
        await child.end();
      },
    },
    { highWaterMark: 0 },
  );
}
