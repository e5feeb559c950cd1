import { EngineError } from '../../errors/engine-error.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask, TaskStop } from '../live-container.ts';
import { namespaceOwners } from '../namespaces/namespace-modes.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { ContainerRestarts } from '../restarts/container-restarts.ts';
import { BackgroundWork } from './background-work.ts';
import { ContainerExits } from './container-exits.ts';
import { pauseContainer, unpauseContainer } from './container-pauses.ts';
import { ContainerRemoval } from './container-removal.ts';
import { ContainerStarts } from './container-starts.ts';
import { ContainerStops, type StopOptions } from './container-stops.ts';

/** How long a start that the policy has begun is waited for as the daemon ends. */
const CLOSING_PATIENCE_MS = 2000;

/** The life of containers from start to removal. Callers queue per container. */
export class Lifecycle {
  readonly #deps: ContainerDependencies;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #background: BackgroundWork;
  readonly #removal: ContainerRemoval;
  readonly #restarts: ContainerRestarts;
  readonly #exits: ContainerExits;
  readonly #starts: ContainerStarts;
  readonly #stops: ContainerStops;

  constructor(deps: ContainerDependencies, index: ContainerIndex<LiveContainer>) {
    this.#deps = deps;
    this.#index = index;
    this.#background = new BackgroundWork(deps.logger);
    this.#removal = new ContainerRemoval(deps, index, this.#background);
    this.#restarts = new ContainerRestarts(deps, this.#background, {
      start: (container, signal) => this.#starts.startAnew(container, signal),
      mustWait: ({ record }) =>
        namespaceOwners(record.host).some((id) => index.get(id)?.pendingRestart !== undefined),
    });
    this.#exits = new ContainerExits(deps, {
      removal: this.#removal,
      restarts: this.#restarts,
      background: this.#background,
    });
    this.#starts = new ContainerStarts(deps, index, {
      exits: this.#exits,
      removal: this.#removal,
      background: this.#background,
    });
    this.#stops = new ContainerStops(deps, this.#restarts);
  }

  /** As `ContainerStarts.start`. */
  async start(container: LiveContainer, signal: AbortSignal): Promise<void> {
    await this.#starts.start(container, signal);
  }

  /** As `ContainerExits.watch`. */
  watch(container: LiveContainer, task: LiveTask): void {
    this.#exits.watch(container, task);
  }

  /** Send the stop signal; `ended` as `ContainerStops.begin`. @throws EngineError "not-modified" when it does not run. */
  async beginStop(container: LiveContainer, options: StopOptions): Promise<{ ended: Promise<void> }> {
    return await this.#stops.begin(container, options);
  }

  /** As `ContainerRestarts.rest`. */
  rest(): void {
    this.#restarts.rest();
  }

  /** Stop, where it runs, and start. A container that removes itself at its end lives through it. */
  async restart(container: LiveContainer, options: StopOptions, signal: AbortSignal): Promise<void> {
    container.restarting = true;
    try {
      if (container.isUp) await (await this.#stops.begin(container, options)).ended;
    } finally {
      container.restarting = false;
    }
    await this.start(container, signal);
  }

  /** A container that is to run as the daemon starts: `startHeld` starts it. Its restarts count anew, unless one was due. */
  hold(container: LiveContainer): void {
    if (!container.record.restartDue) container.record = { ...container.record, restartCount: 0 };
    this.#restarts.hold(container);
  }

  /** As `ContainerRestarts.release`. */
  async startHeld(container: LiveContainer): Promise<void> {
    await this.#restarts.release(container);
  }

  /** Go on, in the background, with a stop or restart that the last daemon had begun. */
  resumeStop(container: LiveContainer, task: LiveTask, stop: TaskStop): void {
    this.#background.track(this.#resumeStop(container, task, stop));
  }

  async #resumeStop(container: LiveContainer, task: LiveTask, stop: TaskStop): Promise<void> {
    const stopping = this.#stops.resume(container, task, stop);
    if (!stop.restarts) return await this.#background.untilClosed(stopping);
    await container.queue.run(async (signal) => {
      try {
        await this.#background.untilClosed(stopping);
      } finally {
        container.restarting = false;
      }
      if (!this.#background.closing.aborted) await this.start(container, signal);
    });
  }

  /** As `ContainerStops.endRestarts`. */
  async endRestarts(container: LiveContainer): Promise<void> {
    await this.#stops.endRestarts(container);
  }

  /** As `ContainerStops.forceEnd`. */
  async forceEnd(
    container: LiveContainer,
    task: LiveTask,
    options: { killed?: boolean; byUser?: boolean } = {},
  ): Promise<void> {
    await this.#stops.forceEnd(container, task, options);
  }

  /** As `ContainerStops.kill`. */
  async kill(container: LiveContainer, signal: number): Promise<void> {
    await this.#stops.kill(container, signal);
  }

  async pause(container: LiveContainer): Promise<void> {
    await pauseContainer(container, this.#deps);
  }

  async unpause(container: LiveContainer): Promise<void> {
    await unpauseContainer(container, this.#deps);
  }

  /** As `ContainerRemoval.remove`. */
  async remove(container: LiveContainer, options: { volumes: boolean }): Promise<void> {
    await this.#removal.remove(container, options);
  }

  /** Stop following; what runs, runs on. */
  async close(): Promise<void> {
    const timer = setTimeout(() => {
      for (const { queue } of this.#index.values()) queue.giveUp(shuttingDown());
    }, CLOSING_PATIENCE_MS);
    try {
      await this.#background.close();
    } finally {
      clearTimeout(timer);
    }
  }
}

function shuttingDown(): EngineError {
  return new EngineError('unavailable', 'The daemon is shutting down');
}
