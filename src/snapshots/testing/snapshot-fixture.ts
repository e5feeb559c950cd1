import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChainId } from '../../oci/digest.ts';
import { parseDiffId } from '../../oci/digest.ts';
import { listMounts, unmountIfMounted } from '../../sys/mount.ts';
import { openLayerSink } from '../layer-sink.ts';
import type { LayerInfo, SnapshotKey, Snapshotter, StagedLayer } from '../snapshotter.ts';
import { type LayerMember, layerTar } from './layer-tar.ts';

export type CreateSnapshotter = (root: string) => Snapshotter | Promise<Snapshotter>;

/** One store in a folder of its own, and short words for what the suite does with it. */
export class SnapshotFixture implements AsyncDisposable {
  readonly base: string;
  readonly #create: CreateSnapshotter;
  #snapshotter: Snapshotter;
  /** That one, and those that it came after. */
  readonly #opened: Snapshotter[];
  readonly signal = new AbortController().signal;
  #targets = 0;

  private constructor(base: string, create: CreateSnapshotter, snapshotter: Snapshotter) {
    this.base = base;
    this.#create = create;
    this.#snapshotter = snapshotter;
    this.#opened = [snapshotter];
  }

  static async open(create: CreateSnapshotter): Promise<SnapshotFixture> {
    const base = mkdtempSync(join(tmpdir(), 'sampan-snap-'));
    return new SnapshotFixture(base, create, await create(join(base, 'root')));
  }

  get store(): Snapshotter {
    return this.#snapshotter;
  }

  /** As after a crash: another instance over the same files and mounts. */
  async reopen(): Promise<Snapshotter> {
    this.#snapshotter = await this.#create(join(this.base, 'root'));
    this.#opened.push(this.#snapshotter);
    return this.#snapshotter;
  }

  async stage(tar: Uint8Array, chunkBytes = 10_007): Promise<StagedLayer> {
    const sink = await openLayerSink(this.store.stage());
    try {
      for (let at = 0; at < tar.length; at += chunkBytes) await sink.write(tar.slice(at, at + chunkBytes));
      return await sink.finish();
    } catch (error) {
      await sink.abort();
      throw error;
    }
  }

  async layer(members: readonly LayerMember[], parent?: ChainId): Promise<LayerInfo> {
    return this.commit(await this.stage(await layerTar(members)), parent);
  }

  commit(staged: StagedLayer, parent?: ChainId): Promise<LayerInfo> {
    return this.store.commitLayer(staged, parent, { signal: this.signal });
  }

  /** Several layers on each other; the topmost. */
  async chain(...layers: (readonly LayerMember[])[]): Promise<LayerInfo> {
    let top: LayerInfo | undefined;
    for (const members of layers) top = await this.layer(members, top?.chainId);
    if (top === undefined) throw new Error('a chain has layers');
    return top;
  }

  target(): string {
    const path = join(this.base, `target-${++this.#targets}`);
    mkdirSync(path);
    return path;
  }

  /** Prepare and mount; the target. */
  async mounted(key: string, parent?: ChainId): Promise<string> {
    await this.store.prepare(key as SnapshotKey, parent, { signal: this.signal });
    const target = this.target();
    await this.store.mount(key as SnapshotKey, target);
    return target;
  }

  /** Mounts below this fixture's folder. */
  mounts(): string[] {
    return listMounts()
      .map(({ target }) => target)
      .filter((target) => target.startsWith(`${this.base}/`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What they still remove in the background would be removed by two at once.
    for (const store of this.#opened) await store.close();
    for (const target of this.mounts().reverse()) unmountIfMounted(target, { detach: true });
    rmSync(this.base, { recursive: true, force: true });
  }
}

export const key = (text: string): SnapshotKey => text as SnapshotKey;
export const absentChain = parseDiffId(`sha256:${'0'.repeat(64)}`) as string as ChainId;

/** What a promise is refused with. `expect().rejects` can't be used: it starves answers from other threads. */
export function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
