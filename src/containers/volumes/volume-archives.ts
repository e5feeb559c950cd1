import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decompressDetected } from '../../archive/compression.ts';
import { abortable } from '../../images/layers/abortable.ts';
import { UnpackProcess } from '../../snapshots/overlay/unpack-process.ts';
import { readRoot } from '../../snapshots/reading/read-root.ts';

export type Archive = ReadableStream<Uint8Array>;

/** A volume's content as a tar, read by a process that has the folder as its root. `done` is called once, however it ends. */
export function readVolume(
  path: string,
  { signal, done }: { signal: AbortSignal; done: () => Promise<void> },
): ReadableStream<Uint8Array> {
  const reader = readRoot({ form: 'tree', root: path, withRoot: true }, signal).getReader();
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => (ended ??= done());
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done: over, value } = await reader.read();
          if (!over) return controller.enqueue(value);
          await end();
          controller.close();
        } catch (error) {
          await end();
          throw error;
        }
      },
      async cancel(reason) {
        try {
          await reader.cancel(reason);
        } finally {
          await end();
        }
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Unpack a tar, compressed or not, into the empty folder of a volume that nobody has yet, by a process that has it as its root: no path and no link of the archive
 * leads out.
 *
 * @throws EngineError "invalid" code archive-hostile or archive-truncated, "internal" code no-space; `signal.reason` on abort.
 */
export async function unpackVolume(path: string, archive: Archive, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const report = join(dirname(path), 'unpack-report');
  const child = await UnpackProcess.start(path, report, { plain: true });
  try {
    const { stream } = await decompressDetected(abortable(archive, signal));
    for await (const chunk of stream) {
      signal.throwIfAborted();
      await child.write(chunk);
    }
    signal.throwIfAborted();
    await child.finish();
  } catch (error) {
    await child.kill();
    throw error;
  } finally {
    await rm(report, { force: true });
  }
}
