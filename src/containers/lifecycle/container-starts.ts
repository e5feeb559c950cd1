import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { abortable } from '../../sys/abortable.ts';
import { timed } from '../../sys/timeline.ts';
import {
  publishContainerEvent,
  publishEndpointEvent,
  publishMountEvents,
  publishNetworkEvent,
} from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { networksOf } from '../networking/container-networks.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { clearResidue } from '../tasks/clear-away.ts';
import { startFailureCode, startFailureText, startTask } from '../tasks/task-starter.ts';
import type { BackgroundWork } from './background-work.ts';
import type { ContainerExits } from './container-exits.ts';
import type { ContainerRemoval } from './container-removal.ts';

/** Starts containers, and records those that could not be. */
export class ContainerStarts {
  readonly #deps: ContainerDependencies;
  readonly #containers: Pick<ContainerIndex<LiveContainer>, 'resolve' | 'values'>;
  readonly #exits: ContainerExits;
  readonly #removal: ContainerRemoval;
  readonly #background: BackgroundWork;

  constructor(
    deps: ContainerDependencies,
    containers: Pick<ContainerIndex<LiveContainer>, 'resolve' | 'values'>,
    after: { exits: ContainerExits; removal: ContainerRemoval; background: BackgroundWork },
  ) {
    this.#deps = deps;
    this.#containers = containers;
    this.#exits = after.exits;
    this.#removal = after.removal;
    this.#background = after.background;
  }

  /**
   * On a user's word: restarts count from here on.
   *
   * @throws EngineError "not-modified" when it runs, "conflict" while it is being removed, else as `startTask`.
   */
  async start(container: LiveContainer, signal: AbortSignal): Promise<void> {
    if (container.removing)
      throw new EngineError('conflict', 'container is marked for removal and cannot be started');
    if (container.task?.paused)
      throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
    if (container.isUp) throw new EngineError('not-modified', `container ${container.id} is already running`);
    container.lastDelayMs = 0;
    container.record = { ...container.record, restartCount: 0 };
    await this.#run(container, signal);
  }

  /** By the policy: what is pending is settled with it. @throws EngineError as `startTask`. */
  async startAnew(container: LiveContainer, signal: AbortSignal): Promise<void> {
    try {
      await this.#run(container, signal);
    } catch (error) {
      container.nextExit.notify(container.lastResult);
      throw error;
    }
  }

  /** `signal`: it is given up, and unwinds. */
  async #run(container: LiveContainer, signal: AbortSignal): Promise<void> {
    let task: LiveTask;
    try {
      await timed(container.timeline, 'last-run', async () => {
        await abortable(Promise.allSettled([container.cleaning, ...container.copies]), signal);
        await clearResidue(container, this.#deps);
      });
      task = await startTask(container, this.#deps, { containers: this.#containers, signal });
    } catch (error) {
      // What the daemon's own end has cut off, the next one begins anew.
      if (!this.#background.closing.aborted) await this.#failed(container, error);
      throw error;
    }
    container.task = task;
    container.pendingRestart = undefined;
    publishMountEvents(this.#deps.events, 'mount', container.record);
    for (const endpoint of task.endpoints) publishEndpointEvent(this.#deps.events, 'connect', endpoint);
    publishContainerEvent(this.#deps.events, container.record, 'start');
    this.#exits.watch(container, task);
  }

  async #failed(container: LiveContainer, error: unknown): Promise<void> {
    const failed = {
      exitCode: startFailureCode(error, container.record.exitCode),
      error: startFailureText(error),
    };
    container.record = { ...container.record, ...failed, active: false, restartDue: false };
    container.pendingRestart = undefined;
    await this.#attempt('record a failed start', container, () => this.#deps.store.update(container.record));
    const networks = await Promise.all(
      networksOf(container.record).map(({ network }) => this.#deps.networks.get(network)),
    );
    // As Docker: there was no start that a "die" could be the end of, nor an exit that those who wait for the next could be told.
    publishMountEvents(this.#deps.events, 'mount', container.record);
    for (const network of networks.filter((one) => one !== undefined))
      publishNetworkEvent(this.#deps.events, 'disconnect', { container: container.id, network });
    publishMountEvents(this.#deps.events, 'unmount', container.record);
    if (container.record.host.autoRemove)
      await this.#attempt('remove a container that did not start', container, () =>
        this.#removal.remove(container, { volumes: true }),
      );
  }

  /** For what may fail without changing the answer. */
  async #attempt(what: string, container: LiveContainer, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#deps.logger.error(`Cannot ${what}`, { container: container.id, error: messageOf(error) });
    }
  }
}
