import { mkdir, rm, writeFile } from 'node:fs/promises';
import { TarReader } from '../../archive/tar-reader.ts';
import { parseDiffId } from '../../oci/digest.ts';
import type { LayerSink, LayerStaging, SinkOptions, StagedLayer } from '../snapshotter.ts';
import { storageError } from '../storage-error.ts';
import { openTarTarget, type TarTarget } from '../tar-file-writer.ts';
import { IndexBuilder } from './index-builder.ts';
import { SideFile } from './side-file.ts';
import type { StagedIndex } from './stage-files.ts';
import { stageFiles } from './stage-files.ts';

/** Writes the tar as it comes, hashes it and builds its index in the same pass. */
export class ErofsLayerSink implements LayerSink {
  readonly #staging: LayerStaging;
  readonly #tar: TarTarget;
  readonly #side: SideFile;
  readonly #index: IndexBuilder;
  readonly #reader: TarReader;
  readonly #hash = new Bun.CryptoHasher('sha256');

  private constructor(staging: LayerStaging, tar: TarTarget) {
    this.#staging = staging;
    this.#tar = tar;
    this.#side = new SideFile(stageFiles(staging.directory).side);
    this.#index = new IndexBuilder(this.#side);
    this.#reader = new TarReader(this.#index);
  }

  static async open(staging: LayerStaging, { tarFile }: SinkOptions = {}): Promise<ErofsLayerSink> {
    await mkdir(staging.directory, { mode: 0o700 });
    try {
      return new ErofsLayerSink(staging, await openTarTarget(stageFiles(staging.directory).tar, tarFile));
    } catch (error) {
      await rm(staging.directory, { recursive: true, force: true });
      throw storageError(error, 'store layer');
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      this.#hash.update(chunk);
      this.#reader.write(chunk);
      await this.#tar.write(chunk);
    } catch (error) {
      throw storageError(error, 'store layer');
    }
  }

  async finish(): Promise<StagedLayer> {
    try {
      return await this.#finish();
    } catch (error) {
      throw storageError(error, 'store layer');
    }
  }

  async #finish(): Promise<StagedLayer> {
    this.#reader.finish();
    const tarSize = this.#tar.size;
    const files = stageFiles(this.#staging.directory);
    // What the archive's headers left would stand beside the index, the largest thing of the job: 4 MB less at its height.
    Bun.gc(true);
    const { image, implied, hidesBelow } = this.#index.finish(tarSize);
    this.#side.finish();
    await this.#tar.finish();
    await writeFile(files.index, image.bytes, { mode: 0o600 });
    const staged: StagedIndex = { sideSize: this.#side.size, implied, hidesBelow };
    await writeFile(files.staged, JSON.stringify(staged), { mode: 0o600 });
    return { staging: this.#staging, diffId: parseDiffId(`sha256:${this.#hash.digest('hex')}`), tarSize };
  }

  async abort(): Promise<void> {
    await this.#tar.abort();
    this.#side.close();
    await rm(this.#staging.directory, { recursive: true, force: true });
  }
}
