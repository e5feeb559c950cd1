import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';

const MAX_ERROR_BYTES = 2000;

/**
 * A stream through a program: what it reads from `source` it writes to the result. The result fails when the program does, with its own words, and ends
 * it when cancelled; errors of the source come through as they are.
 *
 * @throws EngineError "unavailable" where the program isn't there.
 */
export function filterThrough(
  source: ReadableStream<Uint8Array>,
  command: readonly string[],
): ReadableStream<Uint8Array> {
  const child = start(command);
  const fed = feed(source, child);
  const words = new Response(child.stderr).text();
  const reader = child.stdout.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        const [failure, text, code] = await Promise.all([fed, words, child.exited]);
        if (failure !== undefined) throw failure.error;
        if (code !== 0)
          throw new EngineError(
            'invalid',
            `${command[0]} ended with exit code ${code}: ${text.trim().slice(0, MAX_ERROR_BYTES)}`,
          );
        controller.close();
      },
      async cancel(reason) {
        child.kill('SIGKILL');
        await Promise.all([reader.cancel(reason).catch(() => undefined), child.exited, fed, words]);
      },
    },
    { highWaterMark: 0 },
  );
}

type Child = Bun.Subprocess<'pipe', 'pipe', 'pipe'>;

function start(command: readonly string[]): Child {
  try {
    return Bun.spawn([...command], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, LC_ALL: 'C' },
    });
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
    throw new EngineError('unavailable', `Cannot run ${command[0]}: there is no such program`, {
      hint: `Install ${command[0]}, or put it on the PATH.`,
      cause: error,
    });
  }
}

/** Resolves to what was wrong with the source. A child that reads no more needs no more. */
async function feed(
  source: ReadableStream<Uint8Array>,
  child: Child,
): Promise<{ error: unknown } | undefined> {
  const reader = source.getReader();
  const ended = child.exited.then(() => ({ done: true, value: undefined }) as const);
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), ended]);
      if (done || value === undefined) break;
      await child.stdin.write(value as Uint8Array<ArrayBuffer>);
      await child.stdin.flush();
    }
    await child.stdin.end();
    return undefined;
  } catch (error) {
    child.kill('SIGKILL');
    return { error };
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
