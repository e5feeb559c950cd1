import { mkdir, rm } from 'node:fs/promises';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { parseDiffId } from '../../oci/digest.ts';
import type { LayerSink, LayerStaging, SinkOptions, StagedLayer } from '../snapshotter.ts';
import { openTarTarget, type TarTarget } from '../tar-file-writer.ts';
import { stageFiles } from './overlay-layout.ts';
import { UnpackProcess } from './unpack-process.ts';

/** A sink that keeps the tar, which `layerTar` gives back byte for byte, and has it unpacked beside it as it comes. Any thread may. */
export async function openOverlayLayerSink(
  staging: LayerStaging,
  { tarFile }: SinkOptions = {},
): Promise<LayerSink> {
  const { tar, fs, report } = stageFiles(staging.directory);
  try {
    await mkdir(staging.directory, { recursive: true, mode: 0o700 });
    await mkdir(fs, { mode: 0o755 });
    const writer = await openTarTarget(tar, tarFile);
    try {
      return new OverlayLayerSink(staging, writer, await UnpackProcess.start(fs, report));
    } catch (error) {
      await writer.abort();
      throw error;
    }
  } catch (error) {
    await rm(staging.directory, { recursive: true, force: true });
    throw error;
  }
}

class OverlayLayerSink implements LayerSink {
  readonly #staging: LayerStaging;
  readonly #tar: TarTarget;
  readonly #child: UnpackProcess;
  readonly #hash = new Bun.CryptoHasher('sha256');

  constructor(staging: LayerStaging, tar: TarTarget, child: UnpackProcess) {
    this.#staging = staging;
    this.#tar = tar;
    this.#child = child;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const unpacked = this.#child.write(chunk);
    this.#hash.update(chunk);
    await both(unpacked, this.#tar.write(chunk));
  }

  async finish(): Promise<StagedLayer> {
    const tarSize = this.#tar.size;
    await both(this.#child.finish(), this.#tar.finish());
    const diffId = parseDiffId(`sha256:${this.#hash.digest('hex')}`);
    return { staging: this.#staging, diffId, tarSize };
  }

  async abort(): Promise<void> {
    await this.#child.kill();
    await this.#tar.abort();
    await rm(this.#staging.directory, { recursive: true, force: true });
  }
}

/** Both to their end, so that nothing runs on behind an error; the unpacker's counts first. */
async function both(unpacked: Promise<unknown>, stored: Promise<unknown>): Promise<void> {
  const [unpacks, stores] = await Promise.allSettled([unpacked, stored]);
  if (unpacks.status === 'rejected') throw unpacks.reason;
  if (stores.status === 'rejected') throw withNoSpace(stores.reason);
}

function withNoSpace(cause: unknown): unknown {
  const code = errnoCodeOf(cause);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause;
  return new EngineError('internal', 'Cannot write layer: no space left on device', {
    code: 'no-space',
    cause,
  });
}
