import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tree } from '../../../src/archive/tree.ts';
import { EngineError } from '../../../src/errors/engine-error.ts';
import { chainIdOn } from '../../../src/oci/chain-id.ts';
import type { ChainId, DiffId } from '../../../src/oci/digest.ts';
import type {
  LayerInfo,
  LayerPlace,
  LayerSink,
  LayerStaging,
  SnapshotDriver,
  SnapshotKey,
  Snapshotter,
  StagedLayer,
} from '../../../src/snapshots/snapshotter.ts';

/** The layers' half of a `Snapshotter`, in memory: what images need. Snapshots are refused. */
export class FakeSnapshotter implements Snapshotter {
  readonly driver: SnapshotDriver;
  readonly #root: string;
  readonly stages = new Set<string>();
  readonly #layers = new Map<ChainId, LayerInfo>();
  #next = 0;

  /** `root`: where `openLayerSink` of the real driver may put its stages. */
  constructor(options: { driver: SnapshotDriver; root: string } = { driver: 'overlay', root: '.' }) {
    this.driver = options.driver;
    this.#root = options.root;
  }

  readonly openSink = async (staging: LayerStaging): Promise<LayerSink> => {
    this.stages.add(staging.directory);
    const hash = createHash('sha256');
    let tarSize = 0;
    return {
      write: async (chunk) => {
        hash.update(chunk);
        tarSize += chunk.length;
      },
      finish: async () => ({ staging, diffId: `sha256:${hash.digest('hex')}` as DiffId, tarSize }),
      abort: async () => void this.stages.delete(staging.directory),
    };
  };

  stage(): LayerStaging {
    return { driver: this.driver, directory: join(this.#root, `stage-${this.#next++}`) };
  }

  async commitLayer(staged: StagedLayer, parent: ChainId | undefined): Promise<LayerInfo> {
    if (parent !== undefined && !this.#layers.has(parent))
      throw new EngineError('not-found', `no parent ${parent}`);
    await this.discard(staged.staging);
    const chainId = chainIdOn(parent, staged.diffId);
    const layer = { chainId, parent, diffId: staged.diffId, tarSize: staged.tarSize };
    this.#layers.set(chainId, layer);
    return layer;
  }

  async discard(staging: LayerStaging): Promise<void> {
    this.stages.delete(staging.directory);
    await rm(staging.directory, { recursive: true, force: true });
  }

  async layer(chainId: ChainId): Promise<LayerInfo | undefined> {
    return this.#layers.get(chainId);
  }

  async layers(): Promise<LayerInfo[]> {
    return [...this.#layers.values()];
  }

  async removeLayer(chainId: ChainId): Promise<void> {
    if ([...this.#layers.values()].some(({ parent }) => parent === chainId))
      throw new EngineError('conflict', `${chainId} has children`);
    this.#layers.delete(chainId);
  }

  async layerTar(): Promise<ReadableStream<Uint8Array>> {
    throw refused();
  }
  async tree(): Promise<Tree> {
    throw refused();
  }
  async places(): Promise<LayerPlace[]> {
    throw refused();
  }
  async prepare(): Promise<void> {
    throw refused();
  }
  async mount(): Promise<void> {
    throw refused();
  }
  async unmount(): Promise<void> {}
  async remove(): Promise<void> {}
  async snapshots(): Promise<SnapshotKey[]> {
    return [];
  }
  async upperDirectory(): Promise<string> {
    throw refused();
  }
  async view(): Promise<never> {
    throw refused();
  }
  async usage(): Promise<number> {
    return 0;
  }
  async recover(): Promise<void> {}
  async close(): Promise<void> {}
}

function refused(): EngineError {
  return new EngineError('not-implemented', 'the fake snapshotter has layers alone');
}
