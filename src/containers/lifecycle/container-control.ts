import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { TimedOptions } from '../container-backend.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { HealthFailureAction } from '../health/health.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { checkSignal, parseSignal } from '../signals.ts';
import { MAX_TIMER_MS, stopSecondsOf } from './container-stops.ts';
import type { Lifecycle } from './lifecycle.ts';

/** How long a forced removal lets a start, or a copy, come to its end. */
const REMOVAL_PATIENCE_MS = 2000;

interface StopWish {
  signal: string | undefined;
  timeoutSeconds: number | undefined;
}

/** What users do to containers by name, each act in its container's turn. */
export class ContainerControl {
  readonly #deps: Pick<ContainerDependencies, 'events' | 'images' | 'logger'>;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #lifecycle: Lifecycle;

  constructor(
    deps: Pick<ContainerDependencies, 'events' | 'images' | 'logger'>,
    index: ContainerIndex<LiveContainer>,
    lifecycle: Lifecycle,
  ) {
    this.#deps = deps;
    this.#index = index;
    this.#lifecycle = lifecycle;
  }

  async start(nameOrId: string, { timeline }: TimedOptions = {}): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(async (signal) => {
      container.timeline = timeline;
      try {
        await this.#lifecycle.start(container, signal);
      } finally {
        container.timeline = undefined;
      }
    });
    this.#deps.images.used(container.record.image.id);
  }

  async stop(nameOrId: string, options: StopWish): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    if (container.isUp) checkSignal(options.signal, `cannot stop container: ${nameOrId}`);
    // Only the signal waits its turn: a long time-out holds up nobody, another stop with a shorter one least of all.
    const { ended } = await this.#soon(container, stopPatienceMs(container, options), () =>
      this.#lifecycle.beginStop(container, options),
    );
    await ended;
  }

  /**
   * The machine goes down: all that runs stops, each by its own signal and in its own time, and no policy starts anything before the next start
   * of a daemon. No user's word stands behind it: `unless-stopped` starts then. Never rejects.
   */
  async stopAll(): Promise<void> {
    this.#deps.logger.warn(
      'The machine goes down: containers are stopped, and none is started by its policy',
    );
    this.#lifecycle.rest();
    const stop = { signal: undefined, timeoutSeconds: undefined, byUser: false };
    const stopOne = async (container: LiveContainer): Promise<void> => {
      const begin = () => this.#lifecycle.beginStop(container, stop);
      await (await this.#soon(container, stopPatienceMs(container, stop), begin)).ended;
    };
    const containers = [...this.#index.values()].filter(({ isUp }) => isUp);
    const ends = await Promise.allSettled(containers.map(stopOne));
    for (const [at, end] of ends.entries())
      if (end.status === 'rejected' && !hadEnded(end.reason)) {
        const details = { container: containers[at]?.id, error: messageOf(end.reason) };
        this.#deps.logger.error('Cannot stop a container as the machine goes down', details);
      }
  }

  async restart(nameOrId: string, options: StopWish): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    if (container.isUp) checkSignal(options.signal, `Cannot restart container ${nameOrId}`);
    await container.queue.run((signal) => this.#lifecycle.restart(container, options, signal));
    publishContainerEvent(this.#deps.events, container.record, 'restart');
  }

  async kill(nameOrId: string, signal: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    try {
      const kill = () => this.#lifecycle.kill(container, parseSignal(signal || 'KILL'));
      // Between two runs the next one may begin just now.
      await (container.pendingRestart === undefined ? kill() : container.queue.run(kill));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new EngineError(error.kind, `cannot kill container: ${nameOrId}: ${error.message}`, {
        cause: error,
      });
    }
  }

  async pause(nameOrId: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#lifecycle.pause(container));
  }

  async unpause(nameOrId: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#lifecycle.unpause(container));
  }

  async remove(nameOrId: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    // A stop that waits in the queue for its time-out must not hold up `rm -f`.
    const killed = options.force ? await this.#killAtOnce(container) : undefined;
    const remove = async (): Promise<void> => {
      if (container.removing) return;
      const { task } = container;
      if (task !== undefined) {
        if (!options.force) throw cannotRemove(container);
        await this.#lifecycle.forceEnd(container, task, { killed: killed === task });
      } else if (container.pendingRestart !== undefined) {
        if (!options.force) throw cannotRemove(container);
        await this.#lifecycle.endRestarts(container);
      }
      if (!container.removing) await this.#lifecycle.remove(container, options);
    };
    await (options.force ? this.#soon(container, REMOVAL_PATIENCE_MS, remove) : container.queue.run(remove));
  }

  /** In its turn, for which it does not wait for ever: a start may be waiting for a server that is gone. */
  async #soon<T>(container: LiveContainer, patienceMs: number, act: () => Promise<T>): Promise<T> {
    if (patienceMs > MAX_TIMER_MS) return await container.queue.run(act);
    return await container.queue.runSoon(act, { patienceMs, reason: () => givenUp(container) });
  }

  /** A user's wish of before, told when the container turned unhealthy. A kill leaves what follows to the restart policy. */
  async actOnFailure(
    container: LiveContainer,
    task: LiveTask,
    action: Exclude<HealthFailureAction, 'none'>,
  ): Promise<void> {
    if (container.task !== task) return;
    const asUsual = { signal: undefined, timeoutSeconds: undefined };
    if (action === 'restart') await this.restart(container.id, asUsual);
    else if (action === 'stop') await this.stop(container.id, asUsual);
    else await this.#lifecycle.forceEnd(container, task, { byUser: false });
  }

  /** @returns the task that was killed. */
  async #killAtOnce(container: LiveContainer): Promise<LiveTask | undefined> {
    const { task } = container;
    if (task === undefined) return undefined;
    return await this.#lifecycle.kill(container, parseSignal('KILL')).then(
      () => task,
      () => undefined,
    );
  }
}

/** As long as the container itself would be waited for. */
function stopPatienceMs({ record }: LiveContainer, options: StopWish): number {
  const seconds = stopSecondsOf(record, options);
  return seconds < 0 ? Number.POSITIVE_INFINITY : Math.max(seconds * 1000, REMOVAL_PATIENCE_MS);
}

function hadEnded(error: unknown): boolean {
  return error instanceof EngineError && error.kind === 'not-modified';
}

function givenUp({ id }: LiveContainer): EngineError {
  return new EngineError(
    'conflict',
    `what went on with container ${id} was given up: it is to stop, or to go`,
  );
}

function cannotRemove(container: LiveContainer): EngineError {
  const state = container.pendingRestart === undefined ? 'running' : 'restarting';
  const reason = container.task?.paused
    ? 'container is paused and must be unpaused first'
    : `container is ${state}: stop the container before removing or force remove`;
  return new EngineError('conflict', `cannot remove container "${container.name}": ${reason}`);
}
