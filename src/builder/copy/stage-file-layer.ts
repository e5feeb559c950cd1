import { linkSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { openLayerSink, stagedTar } from '../../snapshots/layer-sink.ts';
import type { LayerStaging } from '../../snapshots/snapshotter.ts';
import { CompressedFile } from './compressed-file.ts';
import type { LayerCompression, LayerOutcome } from './file-job.ts';
import { TarBuffer } from './tar-buffer.ts';

export interface StageOptions {
  staging: LayerStaging;
  compression: LayerCompression;
  signal: AbortSignal;
  progress: (copiedBytes: number) => void;
}

/** Stage the layer whose tar `fill` writes, and make the blob beside it. What fails leaves no stage. */
export async function stageFileLayer(
  fill: (out: TarBuffer) => Promise<void>,
  { staging, compression, signal, progress }: StageOptions,
): Promise<LayerOutcome> {
  const sink = await openLayerSink(staging);
  const file = join(staging.directory, 'blob');
  let gzip: CompressedFile | undefined;
  try {
    gzip = compression === 'gzip' ? new CompressedFile(file, { compression: 'gzip' }) : undefined;
    const out: TarBuffer = new TarBuffer(async (piece) => {
      signal.throwIfAborted();
      await sink.write(piece);
      gzip?.write(piece);
      progress(out.size);
      // Between pieces: the thread hears of a cancel.
      await new Promise(setImmediate);
    });
    await fill(out);
    await out.flush();
    const staged = await sink.finish();
    const blob =
      gzip?.finish() ?? (await linkTar(staged.staging, { file, digest: parseDigest(staged.diffId) }));
    return { staged, blob: { file, ...blob, compression } };
  } catch (error) {
    gzip?.close();
    await sink.abort();
    throw error;
  }
}

/** An uncompressed blob is the tar under another name. */
async function linkTar(
  staging: LayerStaging,
  { file, digest }: { file: string; digest: Digest },
): Promise<{ digest: Digest; size: number }> {
  const tar = stagedTar(staging);
  linkSync(tar, file);
  return { digest, size: (await stat(tar)).size };
}
