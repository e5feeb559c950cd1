import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rm } from 'node:fs/promises';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { parseDiffId } from '../../oci/digest.ts';
import { syncDirectory } from '../../storage/atomic-file.ts';
import type { LayerSink, LayerStaging, StagedLayer } from '../snapshotter.ts';
import { stageFiles } from './overlay-layout.ts';
import { UnpackProcess } from './unpack-process.ts';

/** A sink that keeps the tar, which `layerTar` gives back byte for byte, and has it unpacked beside it as it comes. Any thread may. */
export async function openOverlayLayerSink(staging: LayerStaging): Promise<LayerSink> {
  const { tar, fs, report } = stageFiles(staging.directory);
  try {
    await mkdir(staging.directory, { recursive: true, mode: 0o700 });
    await mkdir(fs, { mode: 0o755 });
    const file = await open(tar, 'wx', 0o600);
    try {
      return new OverlayLayerSink(staging, file, await UnpackProcess.start(fs, report));
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    await rm(staging.directory, { recursive: true, force: true });
    throw error;
  }
}

class OverlayLayerSink implements LayerSink {
  readonly #staging: LayerStaging;
  readonly #file: FileHandle;
  readonly #child: UnpackProcess;
  readonly #hash = createHash('sha256');
  #tarSize = 0;

  constructor(staging: LayerStaging, file: FileHandle, child: UnpackProcess) {
    this.#staging = staging;
    this.#file = file;
    this.#child = child;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const stored = writeWhole(this.#file, chunk);
    const unpacked = this.#child.write(chunk);
    this.#hash.update(chunk);
    // Both to the end, so that nothing runs on behind an error.
    const [stores, unpacks] = await Promise.allSettled([stored, unpacked]);
    if (unpacks.status === 'rejected') throw unpacks.reason;
    if (stores.status === 'rejected') throw stores.reason;
    this.#tarSize += chunk.byteLength;
  }

  async finish(): Promise<StagedLayer> {
    await this.#child.finish();
    await this.#file.datasync();
    await this.#file.close();
    await syncDirectory(this.#staging.directory);
    const diffId = parseDiffId(`sha256:${this.#hash.digest('hex')}`);
    return { staging: this.#staging, diffId, tarSize: this.#tarSize };
  }

  async abort(): Promise<void> {
    await this.#child.kill();
    await this.#file.close().catch(() => undefined);
    await rm(this.#staging.directory, { recursive: true, force: true });
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
  } catch (cause) {
    const code = errnoCodeOf(cause);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    throw new EngineError('internal', 'Cannot write layer: no space left on device', {
      code: 'no-space',
      cause,
    });
  }
}
