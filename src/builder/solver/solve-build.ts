import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Lease } from '../../images/lease-store.ts';
import type { MadeLayer } from '../../images/make-layer.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { nowNano } from '../../sys/clock.ts';
import { atLines, BuildError } from '../build-error.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { StepLimits } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import type { FileAction } from '../copy/file-action.ts';
import type { LayerClock } from '../copy/file-job.ts';
import { makeFileLayer, makeRunLayer } from '../copy/make-file-layer.ts';
import { type CopySource, parseOwner, planCopy } from '../copy/plan-copy.ts';
import type { HeldCache } from '../execute/cache-mounts.ts';
import type { ReadyMount } from '../execute/run-request.ts';
import {
  type BuildStep,
  type FileStep,
  inputsOf,
  type RunStep,
  type StepMount,
  type StepSource,
  type StepTree,
} from '../plan/build-step.ts';
import { digestOf } from '../plan/step-id.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type { BuildContexts } from './build-contexts.ts';
import type { SolverPorts, StepEvent } from './build-ports.ts';
import { VertexTeller } from './build-progress-teller.ts';
import type { BuiltLayer } from './cache-record.ts';

/** Part of every key: another number forgets what was cached before. */
const KEY_VERSION = 1;

export interface SolveOptions {
  session: BuildSession;
  contexts: BuildContexts;
  lease: Lease;
  network: string;
  extraHosts: readonly string[];
  limits: Partial<StepLimits>;
  entitlements: ReadonlySet<string>;
  sourceDateEpoch: number | undefined;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** A file system that a step came to. `chain: undefined` is the empty one. */
export interface SolvedStep {
  chain: ChainId | undefined;
}

/** A step ready to be looked up or made: what its key says, and how. */
interface Prepared {
  key: string;
  parent: ChainId | undefined;
  /** Why it isn't in the cache, when it isn't. */
  reason: string;
  make: (context: MakeContext & { lease: Lease }) => Promise<BuiltLayer>;
  release: () => Promise<void>;
}

interface MakeContext {
  signal: AbortSignal;
  tell: (event: StepEvent) => void;
}

/**
 * Does the steps of one build: independent ones at once, those that are cached not at all, those that another build is just doing together
 * with it. The first failure stops the rest.
 */
export class BuildSolver {
  readonly #ports: SolverPorts;
  readonly #options: SolveOptions;
  readonly #solved = new Map<Digest, Promise<SolvedStep>>();
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #held: (() => void)[] = [];
  /** What this build came to, whatever another one puts into the cache in its place. */
  readonly #layers = new Map<ChainId, BuiltLayer>();
  /** Keeps work of `--no-cache` apart from other builds'. */
  readonly #salt = crypto.randomUUID();

  constructor(ports: SolverPorts, options: SolveOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#failure.signal]);
  }

  /** @throws BuildError of the step that failed first, with its lines; the signal's reason. Nothing is under way any more then. */
  async solve(step: BuildStep | undefined): Promise<SolvedStep> {
    if (step === undefined) return { chain: undefined };
    try {
      return await this.#solve(step);
    } catch (error) {
      await this.settled();
      this.#options.signal.throwIfAborted();
      throw this.#failure.signal.aborted ? this.#failure.signal.reason : error;
    }
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#solved.values());
  }

  /** The layer of a step of this build. */
  layer(chainId: ChainId): BuiltLayer | undefined {
    return this.#layers.get(chainId);
  }

  /** Cached results may be pruned from now on. */
  release(): void {
    for (const letGo of this.#held.splice(0)) letGo();
  }

  #solve(step: BuildStep): Promise<SolvedStep> {
    const known = this.#solved.get(step.id);
    if (known !== undefined) return known;
    const solving = this.#begin(step);
    solving.catch(() => undefined);
    this.#solved.set(step.id, solving);
    return solving;
  }

  async #begin(step: BuildStep): Promise<SolvedStep> {
    const inputs = inputsOf(step);
    const teller = new VertexTeller(this.#options.watch, {
      digest: step.id,
      name: step.name,
      inputs: inputs.map(({ id }) => id),
      lines: step.lines,
    });
    const solved = inputs.map((input) => this.#solve(input));
    teller.announce();
    await Promise.all(solved);
    try {
      this.#signal.throwIfAborted();
      return await this.#one(step, teller);
    } catch (error) {
      const placed = this.#signal.aborted ? this.#signal.reason : atLines(error, step.lines);
      teller.fail(this.#signal.aborted ? 'context canceled' : placed);
      if (!this.#signal.aborted) this.#failure.abort(placed);
      throw placed;
    }
  }

  async #one(step: BuildStep, teller: VertexTeller): Promise<SolvedStep> {
    if (step.kind === 'image') {
      teller.complete({ cached: true });
      return { chain: step.image.chainId };
    }
    const prepared = step.kind === 'run' ? await this.#prepareRun(step) : await this.#prepareFiles(step);
    try {
      const cached = step.ignoreCache ? undefined : await this.#cached(prepared.key);
      if (cached !== undefined) {
        teller.explain(
          `cached: made ${new Date(Number(cached.createdNano / 1_000_000n)).toISOString()} of the same inputs`,
        );
        teller.complete({ cached: true });
        return { chain: cached.chainId };
      }
      teller.explain(step.ignoreCache ? 'not cached: --no-cache' : `not cached: ${prepared.reason}`);
      const layer = await this.#make(step, prepared, teller);
      teller.complete();
      return { chain: layer.chainId };
    } finally {
      await prepared.release();
    }
  }

  async #cached(key: string): Promise<BuiltLayer | undefined> {
    const { store, snapshotter } = this.#ports;
    const record = store.find(key);
    const layer = record?.layer;
    if (record === undefined || layer === undefined) return undefined;
    // Before the first wait: another build may put its own result in the record's place.
    const roots = { blobs: [layer.descriptor.digest], chains: [layer.chainId] };
    this.#held.push(store.hold(record.id), this.#ports.holdRoots(roots));
    if ((await snapshotter.layer(layer.chainId)) === undefined) return undefined;
    this.#layers.set(layer.chainId, layer);
    store.touch(record);
    return layer;
  }

  async #make(step: RunStep | FileStep, prepared: Prepared, teller: VertexTeller): Promise<BuiltLayer> {
    const tell = (event: StepEvent): void => {
      if (event.type === 'started') teller.start();
      else if (event.type === 'log') teller.log(event.stream, event.data);
    };
    const layer = await this.#shared(step, prepared, tell);
    const { store } = this.#ports;
    const record = store.find(prepared.key);
    if (record !== undefined) this.#held.push(store.hold(record.id));
    this.#layers.set(layer.chainId, layer);
    await this.#options.lease.add({ blobs: [layer.descriptor.digest], chains: [layer.chainId] });
    return layer;
  }

  /** Together with another build that is at the same; what that one can't finish (its client has left, say) is done here. */
  async #shared(
    step: RunStep | FileStep,
    prepared: Prepared,
    tell: (event: StepEvent) => void,
  ): Promise<BuiltLayer> {
    const { shared } = this.#ports;
    const own = { signal: this.#signal, tell };
    const salted = `${prepared.key} ${this.#salt}`;
    let isOwn = step.ignoreCache;
    const work = async (context: MakeContext): Promise<BuiltLayer> => {
      isOwn = true;
      return await this.#record(step, prepared, context);
    };
    try {
      return await shared.run(step.ignoreCache ? salted : prepared.key, own, work);
    } catch (error) {
      const isFinal = isOwn || (error instanceof BuildError && error.exit !== undefined);
      if (isFinal || this.#signal.aborted) throw error;
      return await shared.run(salted, own, work);
    }
  }

  /** Made, and in the cache before its lease ends. */
  async #record(step: RunStep | FileStep, prepared: Prepared, context: MakeContext): Promise<BuiltLayer> {
    const lease = this.#ports.takeLease();
    try {
      const layer = await prepared.make({ ...context, lease });
      await this.#ports.store.add({
        key: prepared.key,
        kind: 'regular',
        parent: prepared.parent,
        layer,
        sizeBytes: layer.tarSize,
        description: step.name,
      });
      return layer;
    } finally {
      await lease.release();
    }
  }

  get #clock(): LayerClock {
    const epoch = this.#options.sourceDateEpoch;
    return { created: epoch ?? Math.floor(Date.now() / 1000), latest: epoch };
  }

  #createdNano(): bigint {
    const epoch = this.#options.sourceDateEpoch;
    return epoch === undefined ? nowNano() : BigInt(epoch) * 1_000_000_000n;
  }

  async #parentOf({ parent }: RunStep | FileStep): Promise<ChainId | undefined> {
    return parent === undefined ? undefined : (await this.#solve(parent)).chain;
  }

  async #placeOfChain(chain: ChainId | undefined): Promise<FilePlace> {
    return { kind: 'layers', layers: chain === undefined ? [] : await this.#ports.snapshotter.places(chain) };
  }

  async #placeOf(tree: StepTree): Promise<FilePlace> {
    if (tree.kind === 'context') return (await this.#options.contexts.tree(tree.context)).place;
    return await this.#placeOfChain(
      tree.step === undefined ? undefined : (await this.#solve(tree.step)).chain,
    );
  }

  async #prepareFiles(step: FileStep): Promise<Prepared> {
    const parent = await this.#parentOf(step);
    const releases: (() => Promise<void>)[] = [];
    const release = async (): Promise<void> => {
      for (const one of releases.splice(0)) await one();
    };
    try {
      const { actions, content } = await this.#actionsOf(step, releases);
      const key = this.#key(['file', step.link ? 'link' : 'on', parent ?? '', content]);
      const make: Prepared['make'] = async ({ signal, tell, lease }) => {
        tell({ type: 'started' });
        const made = await makeFileLayer(actions, {
          ports: this.#ports.layers,
          lease,
          parent,
          clock: this.#clock,
          compression: 'none',
          signal,
          link: step.link,
          progress: ({ copiedBytes }) => tell({ type: 'copied', bytes: copiedBytes }),
        });
        return this.#built(made, parent);
      };
      const reason = 'the instruction, its files or what it stands on were not seen before';
      return { key, parent, reason, make, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  #key(parts: readonly unknown[]): string {
    const epoch = this.#options.sourceDateEpoch;
    return digestOf([KEY_VERSION, ...parts, ...(epoch === undefined ? [] : ['epoch', epoch])]);
  }

  #built({ layer, descriptor }: MadeLayer, parent: ChainId | undefined): BuiltLayer {
    return {
      chainId: chainIdOn(parent, layer.diffId),
      diffId: layer.diffId,
      descriptor,
      tarSize: layer.tarSize,
      createdNano: this.#createdNano(),
    };
  }

  async #actionsOf(
    { work }: FileStep,
    releases: (() => Promise<void>)[],
  ): Promise<{ actions: FileAction[]; content: unknown }> {
    if (work.kind === 'directory') {
      const owner = parseOwner(work.user);
      const action = { kind: 'make-directory', path: work.path, mode: 0o755, owner } as const;
      return { actions: [action], content: action };
    }
    const found = await Promise.all(work.sources.map((source) => this.#sourceOf(source, releases)));
    const actions = planCopy(found, work.options);
    const digest = await this.#digest(actions);
    const { destination, workdir, chown, chmod } = work.options;
    return { actions, content: [digest, work.options.command, destination, workdir, chown, chmod] };
  }

  async #sourceOf(source: StepSource, releases: (() => Promise<void>)[]): Promise<CopySource> {
    const signal = this.#signal;
    const { remote } = this.#ports;
    switch (source.kind) {
      case 'text':
        return source;
      case 'path':
        return { kind: 'path', place: await this.#placeOf(source.tree), path: source.path };
      case 'url': {
        const file = await remote.http(source.url, { signal, checksum: source.checksum });
        releases.push(() => file.release());
        return { kind: 'url', place: file.place, name: file.name };
      }
      case 'git': {
        const { url, checksum, keepGitDir } = source;
        const files = await remote.git(url, { signal, checksum, keepGitDir });
        releases.push(() => files.release());
        return { kind: 'git', place: files.place };
      }
    }
  }

  async #prepareRun(step: RunStep): Promise<Prepared> {
    this.#checkEntitled(step);
    const parent = await this.#parentOf(step);
    const { network, extraHosts, limits } = this.#options;
    const mounts = await Promise.all(step.mounts.map((mount) => this.#mountKey(mount)));
    const { args, env, workdir, user, security } = step;
    const own = step.network === 'default' ? network || 'default' : step.network;
    const key = this.#key([
      'run',
      parent ?? '',
      { args, env, workdir, user, security, network: own, extraHosts, shm: limits.shmSizeBytes ?? 0, mounts },
    ]);
    const make: Prepared['make'] = async (context) => await this.#run(step, parent, context);
    const reason = 'the command, its variables, mounts or what it stands on were not seen before';
    return { key, parent, reason, make, release: async () => undefined };
  }

  #checkEntitled(step: RunStep): void {
    const { entitlements, network } = this.#options;
    if (step.network === 'host' && network !== 'host' && !entitlements.has('network.host'))
      throw notAllowed('network.host');
    if (step.security === 'insecure' && !entitlements.has('security.insecure'))
      throw notAllowed('security.insecure');
  }

  /** What of a mount makes a difference to the result. */
  async #mountKey(mount: StepMount): Promise<unknown> {
    switch (mount.type) {
      case 'bind': {
        const place = await this.#placeOf(mount.tree);
        return ['bind', mount.target, mount.readOnly, await this.#digestAt(place, mount.source)];
      }
      case 'cache':
        return ['cache', mount.id, mount.target];
      case 'tmpfs':
        return ['tmpfs', mount.target];
      case 'secret':
        return ['secret', mount.id, mount.target ?? '', mount.env ?? ''];
      case 'ssh':
        return ['ssh', mount.id, mount.target];
    }
  }

  async #digestAt(place: FilePlace, path: string): Promise<Digest> {
    const options = {
      command: 'COPY',
      destination: '/',
      workdir: '/',
      chown: '',
      chmod: '',
      parents: false,
      exclude: [],
      unpack: undefined,
    } as const;
    const actions = planCopy([{ kind: 'path', place, path }], options);
    return await this.#digest(actions);
  }

  /** @throws EngineError in BuildKit's words for what isn't there. */
  async #digest(actions: readonly FileAction[]): Promise<Digest> {
    try {
      return await this.#ports.layers.files.digest({ actions }, { signal: this.#signal });
    } catch (error) {
      if (kindOf(error) !== 'not-found') throw error;
      throw new EngineError('not-found', `failed to compute cache key: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  async #run(
    step: RunStep,
    parent: ChainId | undefined,
    { signal, tell, lease }: MakeContext & { lease: Lease },
  ): Promise<BuiltLayer> {
    const held: HeldCache[] = [];
    try {
      const mounts: ReadyMount[] = [];
      for (const mount of step.mounts) mounts.push(await this.#readyMount(mount, held, signal));
      const leave = await this.#ports.turns.enter(signal);
      try {
        tell({ type: 'started' });
        const { session, network, extraHosts, limits } = this.#options;
        const finished = await this.#ports.run(
          { step, parent, mounts, session, network, extraHosts, limits },
          this.#ports.runs,
          { signal, log: (stream, data) => tell({ type: 'log', stream, data }) },
        );
        try {
          const made = await makeRunLayer(finished.snapshot, {
            ports: this.#ports.layers,
            lease,
            parent,
            clock: this.#clock,
            compression: 'none',
            signal,
            skip: [],
          });
          return this.#built(made, parent);
        } finally {
          await finished.release();
        }
      } finally {
        leave();
      }
    } finally {
      for (const cache of held) await cache.release();
    }
  }

  async #readyMount(mount: StepMount, held: HeldCache[], signal: AbortSignal): Promise<ReadyMount> {
    if (mount.type === 'bind') {
      const { target, source, readOnly } = mount;
      return { type: 'bind', chain: await this.#chainOf(mount.tree), source, target, readOnly };
    }
    if (mount.type !== 'cache') return mount;
    const chain = await this.#chainOf(mount.tree);
    const cache = await this.#ports.mounts.acquire(mount, chain, signal);
    held.push(cache);
    return { type: 'cache', directory: cache.directory, target: mount.target, readOnly: mount.readOnly };
  }

  async #chainOf(tree: StepTree): Promise<ChainId | undefined> {
    return tree.kind === 'step' && tree.step !== undefined ? (await this.#solve(tree.step)).chain : undefined;
  }
}

function notAllowed(entitlement: string): Error {
  return new EngineError('invalid', `failed to load LLB: ${entitlement} is not allowed`);
}
