import type { Lease } from '../../images/store/lease-store.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { atLines } from '../build-error.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { StepLimits } from '../build-request.ts';
import type { BuildSession } from '../build-session.ts';
import type { ImportedCache } from '../cache/import-cache.ts';
import type { OpenShell } from '../execute/run-request.ts';
import { type BuildStep, type FileStep, inputsFirst, inputsOf, type RunStep } from '../plan/build-step.ts';
import type { BuildContexts } from './build-contexts.ts';
import type { SolverPorts, StepEvent } from './build-ports.ts';
import { VertexTeller } from './build-progress-teller.ts';
import type { BuiltLayer } from './cache-record.ts';
import { FailureShell } from './failure-shell.ts';
import { prepareFiles } from './prepare-files.ts';
import { cacheKeys, prepareRun } from './prepare-run.ts';
import type { PreparedStep } from './prepared-step.ts';
import { StepInputs } from './step-inputs.ts';
import { StepLayers } from './step-layers.ts';

export interface SolveOptions {
  session: BuildSession;
  contexts: BuildContexts;
  lease: Lease;
  network: string;
  extraHosts: readonly string[];
  limits: Partial<StepLimits>;
  entitlements: ReadonlySet<string>;
  sourceDateEpoch: number | undefined;
  /** Results of builds elsewhere. */
  imported: Pick<ImportedCache, 'bring' | 'bringMount'> | undefined;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** A layer of this build, and what led to it. */
export interface SolvedKey {
  key: string;
  layer: BuiltLayer;
}

/** A file system that a step came to. `chain: undefined` is the empty one. */
export interface SolvedStep {
  chain: ChainId | undefined;
}

const STEPS_PER_TURN = 64;

/**
 * Does the steps of one build: independent ones at once, those that are cached not at all, those that another build is just doing together
 * with it. The first failure stops the rest.
 */
export class BuildSolver {
  readonly #options: SolveOptions;
  readonly #solved = new Map<Digest, Promise<SolvedStep>>();
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #inputs: StepInputs;
  readonly #layers: StepLayers;
  readonly #mounts = new Set<string>();
  /** What is being done just now. */
  readonly #underWay = new Map<BuildStep, Promise<SolvedStep>>();
  readonly #shell: FailureShell | undefined;

  constructor(ports: SolverPorts, options: SolveOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#failure.signal]);
    const inner = { ...options, signal: this.#signal };
    const { terminal: open } = options.session;
    this.#shell = open && new FailureShell({ open, ports, options });
    this.#inputs = new StepInputs(ports, inner, (step) => this.#solve(step));
    this.#layers = new StepLayers(ports, inner, { isApart: this.#shell !== undefined });
  }

  /** @throws BuildError of the step that failed first, with its lines; the signal's reason. Nothing is under way any more then. */
  async solve(step: BuildStep | undefined): Promise<SolvedStep> {
    if (step === undefined) return { chain: undefined };
    try {
      await this.#begin(step);
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
    return this.#layers.layer(chainId);
  }

  /** Everything that this build came by. */
  get keys(): SolvedKey[] {
    return this.#layers.keys;
  }

  /** The keys of the cache mounts of its steps, whether they ran or were cached. */
  get mounts(): readonly string[] {
    return [...this.#mounts];
  }

  /** Cached results may be pruned from now on. */
  release(): void {
    this.#layers.release();
  }

  /** All steps, each after its inputs: a Dockerfile has thousands, more than a stack or a turn of the event loop takes. */
  async #begin(last: BuildStep): Promise<void> {
    let begun = 0;
    for (const step of inputsFirst(last)) {
      if (++begun % STEPS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      this.#signal.throwIfAborted();
      void this.#solve(step);
    }
  }

  #solve(step: BuildStep): Promise<SolvedStep> {
    const known = this.#solved.get(step.id);
    if (known !== undefined) return known;
    const solving = this.#do(step);
    solving.catch(() => undefined);
    this.#solved.set(step.id, solving);
    return solving;
  }

  async #do(step: BuildStep): Promise<SolvedStep> {
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
      const work = this.#one(step, teller);
      this.#underWay.set(step, work);
      return await work;
    } catch (error) {
      if (!this.#signal.aborted) await this.#fail(step, teller, error);
      else teller.fail('context canceled');
      throw this.#signal.reason;
    } finally {
      this.#underWay.delete(step);
    }
  }

  /** The first failure: it is told, the rest stops, and who wants to look at it has a shell there. */
  async #fail(step: BuildStep, teller: VertexTeller, error: unknown, open?: OpenShell): Promise<void> {
    const placed = atLines(error, step.lines);
    teller.fail(placed);
    this.#failure.abort(placed);
    if (this.#shell === undefined || step.kind === 'image') return;
    this.#underWay.delete(step);
    await Promise.allSettled(this.#underWay.values());
    const failed = { step, error: placed };
    if (open !== undefined) return await this.#shell.inside(failed, open);
    await this.#shell.before(failed, await this.#inputs.parentOf(step));
  }

  async #one(step: BuildStep, teller: VertexTeller): Promise<SolvedStep> {
    if (step.kind === 'image') {
      teller.complete({ cached: true });
      return { chain: step.image.chainId };
    }
    const prepared =
      step.kind === 'run' ? await prepareRun(step, this.#inputs) : await prepareFiles(step, this.#inputs);
    try {
      if (step.kind === 'run') for (const key of await cacheKeys(step, this.#inputs)) this.#mounts.add(key);
      const cached = step.ignoreCache ? undefined : await this.#layers.cached(step, prepared);
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

  async #make(step: RunStep | FileStep, prepared: PreparedStep, teller: VertexTeller): Promise<BuiltLayer> {
    const tell = (event: StepEvent): void => {
      if (event.type === 'started') teller.start();
      else if (event.type === 'log') teller.log(event.stream, event.data);
    };
    const failed = async (error: unknown, open: OpenShell): Promise<void> => {
      if (!this.#signal.aborted) await this.#fail(step, teller, error, open);
    };
    return await this.#layers.make(step, prepared, { tell, failed: this.#shell && failed });
  }
}
