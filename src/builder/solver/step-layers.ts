import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId } from '../../oci/digest.ts';
import { BuildError } from '../build-error.ts';
import type { RunOptions } from '../execute/run-request.ts';
import type { FileStep, RunStep } from '../plan/build-step.ts';
import type { SolverPorts } from './build-ports.ts';
import type { BuiltLayer, CacheRecord } from './cache-record.ts';
import type { MakeContext, PreparedStep } from './prepared-step.ts';
import type { SolvedKey, SolveOptions } from './solve-build.ts';

type MakeOptions = Pick<MakeContext, 'tell'> & Pick<RunOptions, 'failed'>;

/** Where the layers of one build's steps come from: the cache, another builder's, another build that is at the same, or the step itself. */
export class StepLayers {
  readonly #ports: SolverPorts;
  /** `signal` ends with the build's first failure too. */
  readonly #options: SolveOptions;
  /** A shell where a step fails is its own client's alone, and other builds need not wait for it. */
  readonly #isApart: boolean;
  /** Keeps work of `--no-cache` apart from other builds'. */
  readonly #salt = crypto.randomUUID();
  readonly #held: (() => void)[] = [];
  /** What this build came to, whatever another one puts into the cache in its place. */
  readonly #layers = new Map<ChainId, BuiltLayer>();
  readonly #keys = new Map<string, SolvedKey>();

  constructor(ports: SolverPorts, options: SolveOptions, { isApart }: { isApart: boolean }) {
    this.#ports = ports;
    this.#options = options;
    this.#isApart = isApart;
  }

  /** The layer of a step of this build. */
  layer(chainId: ChainId): BuiltLayer | undefined {
    return this.#layers.get(chainId);
  }

  /** Everything that this build came by. */
  get keys(): SolvedKey[] {
    return [...this.#keys.values()];
  }

  /** Cached results may be pruned from now on. */
  release(): void {
    for (const letGo of this.#held.splice(0)) letGo();
  }

  /** What a step with these inputs came to before, here or elsewhere. */
  async cached(step: RunStep | FileStep, prepared: PreparedStep): Promise<BuiltLayer | undefined> {
    return this.#noted(prepared, (await this.#own(prepared)) ?? (await this.#imported(step, prepared)));
  }

  /** @throws as `PreparedStep.make`. */
  async make(step: RunStep | FileStep, prepared: PreparedStep, options: MakeOptions): Promise<BuiltLayer> {
    const { store } = this.#ports;
    const made = await this.#shared(step, prepared, options);
    const found = store.find(prepared.key);
    // Another build may have put its own in the place of this one.
    const record = found?.layer?.diffId === made.diffId ? found : undefined;
    if (record !== undefined) this.#held.push(store.hold(record.id));
    await this.#options.lease.add({ blobs: [made.descriptor.digest], chains: [made.chainId] });
    const layer = isOn(made, prepared.parent) ? made : await this.#moved(record, made, prepared);
    return this.#noted(prepared, layer);
  }

  #noted<T extends BuiltLayer | undefined>({ key }: PreparedStep, layer: T): T {
    if (layer === undefined) return layer;
    this.#layers.set(layer.chainId, layer);
    // By its place too: a layer of `COPY --link` has several.
    this.#keys.set(`${key} ${layer.chainId}`, { key, layer });
    return layer;
  }

  async #own(prepared: PreparedStep): Promise<BuiltLayer | undefined> {
    const { store, snapshotter } = this.#ports;
    const record = store.find(prepared.key);
    const layer = record?.layer;
    if (record === undefined || layer === undefined) return undefined;
    // Before the first wait: another build may put its own result in the record's place.
    const roots = { blobs: [layer.descriptor.digest], chains: [layer.chainId] };
    this.#held.push(store.hold(record.id), this.#ports.holdRoots(roots));
    if (!isOn(layer, prepared.parent)) {
      try {
        return await this.#moved(record, layer, prepared);
      } catch {
        this.#options.signal.throwIfAborted();
        // Damaged: the step is done instead.
        return undefined;
      }
    }
    if ((await snapshotter.layer(layer.chainId)) === undefined) return undefined;
    store.touch(record);
    return layer;
  }

  /** A layer of `COPY --link` serves on whatever the stage has become: the record goes along. */
  async #moved(
    record: CacheRecord | undefined,
    layer: BuiltLayer,
    { parent }: PreparedStep,
  ): Promise<BuiltLayer> {
    const { place, store, collectLater } = this.#ports;
    const { lease, signal } = this.#options;
    const moved = await place(layer, parent, { lease, signal });
    if (record === undefined) return moved;
    await store.move(record, { parent, layer: moved });
    collectLater({ blobs: [], chains: [layer.chainId] });
    return moved;
  }

  /** Brought here from another builder's cache, and in ours before it is used. */
  async #imported(step: RunStep | FileStep, prepared: PreparedStep): Promise<BuiltLayer | undefined> {
    const { imported, lease, signal } = this.#options;
    const { key, parent } = prepared;
    const layer = await imported?.bring(key, parent, { lease, signal });
    if (layer === undefined) return undefined;
    await this.#ports.store.add(recordOf(step, prepared, layer));
    return await this.#own(prepared);
  }

  /** Together with another build that is at the same; what that one can't finish (its client has left, say) is done here. */
  async #shared(
    step: RunStep | FileStep,
    prepared: PreparedStep,
    { tell, failed }: MakeOptions,
  ): Promise<BuiltLayer> {
    const { shared } = this.#ports;
    const { signal } = this.#options;
    const own = { signal, tell };
    const salted = `${prepared.key} ${this.#salt}`;
    let isOwn = step.ignoreCache;
    const isApart = isOwn || this.#isApart;
    const work = async (context: MakeContext): Promise<BuiltLayer> => {
      isOwn = true;
      return await this.#record(step, prepared, { ...context, failed });
    };
    try {
      return await shared.run(isApart ? salted : prepared.key, own, work);
    } catch (error) {
      const isFinal = isOwn || (error instanceof BuildError && error.exit !== undefined);
      if (isFinal || signal.aborted) throw error;
      return await shared.run(salted, own, work);
    }
  }

  /** Made, and in the cache before its lease ends. */
  async #record(
    step: RunStep | FileStep,
    prepared: PreparedStep,
    context: MakeContext & Pick<RunOptions, 'failed'>,
  ): Promise<BuiltLayer> {
    const lease = this.#ports.takeLease();
    try {
      const layer = await prepared.make({ ...context, lease });
      await this.#ports.store.add(recordOf(step, prepared, layer));
      // The record may be pruned as soon as it is there.
      await this.#options.lease.add({ blobs: [layer.descriptor.digest], chains: [layer.chainId] });
      return layer;
    } finally {
      await lease.release();
    }
  }
}

function isOn({ chainId, diffId }: BuiltLayer, parent: ChainId | undefined): boolean {
  return chainId === chainIdOn(parent, diffId);
}

function recordOf({ name }: RunStep | FileStep, { key, parent }: PreparedStep, layer: BuiltLayer) {
  return { key, kind: 'regular', parent, layer, sizeBytes: layer.tarSize, description: name } as const;
}
