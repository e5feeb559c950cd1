import { rmSync } from 'node:fs';
import { decompressDetected } from '../../archive/compression.ts';
import { CompressedFile } from './compressed-file.ts';
import type { CompressedBlob, CompressJob } from './file-job.ts';
import { TarBuffer } from './tar-buffer.ts';

/** What fails or is aborted leaves no file. */
export async function compressTar(
  { source, target, compression, level }: CompressJob,
  { signal }: { signal: AbortSignal },
): Promise<CompressedBlob> {
  const file = new CompressedFile(target, { compression, ...(level === undefined ? {} : { level }) });
  try {
    const out = new TarBuffer(async (piece) => {
      signal.throwIfAborted();
      file.write(piece);
      await new Promise(setImmediate);
    });
    const { stream } = await decompressDetected(Bun.file(source).stream());
    for await (const chunk of stream) await out.put(chunk);
    await out.flush();
    return file.finish();
  } catch (error) {
    file.close();
    rmSync(target, { force: true });
    throw error;
  }
}
