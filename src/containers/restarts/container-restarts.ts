import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors/engine-error.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { BackgroundWork } from '../lifecycle/background-work.ts';
import type { LiveContainer, PendingRestart } from '../live-container.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { planRestart } from './restart-plan.ts';

export interface RestartActs {
  /** One start, by the policy; the pending restart is settled when it begins to run or fails. */
  start(container: LiveContainer, signal: AbortSignal): Promise<void>;
  /** Whether one whose namespaces it joins is itself to be restarted. */
  mustWait(container: LiveContainer): boolean;
}

/** Starts anew, after its time, what the policy wants to run. Between two runs a container counts as running. */
export class ContainerRestarts {
  readonly #deps: Pick<ContainerDependencies, 'store' | 'events' | 'logger'>;
  readonly #background: BackgroundWork;
  readonly #act: RestartActs;
  #resting = false;

  constructor(
    deps: Pick<ContainerDependencies, 'store' | 'events' | 'logger'>,
    background: BackgroundWork,
    act: RestartActs,
  ) {
    this.#deps = deps;
    this.#background = background;
    this.#act = act;
  }

  /** From now on nothing is started: that is left to the next daemon. */
  rest(): void {
    this.#resting = true;
  }

  /** After an end: the record as it is now, and whether a restart is pending. */
  afterEnd(container: LiveContainer, ended: ContainerRecord): ContainerRecord {
    const plan = planRestart({
      policy: ended.host.restartPolicy,
      exitCode: ended.exitCode,
      ranMs: Number((ended.finishedAtNano - ended.startedAtNano) / 1_000_000n),
      asked: ended.stoppedByUser || container.restarting || container.removing,
      restartCount: ended.restartCount,
      lastDelayMs: container.lastDelayMs,
    });
    // The machine goes down, or was to when the daemon before died.
    const rests = this.#resting || container.task?.stop?.byUser === false;
    if (plan === undefined || rests) return ended;
    container.lastDelayMs = plan.delayMs;
    this.#background.track(this.#after(container, this.hold(container), plan.delayMs));
    return { ...ended, restartDue: true, restartCount: ended.restartCount + 1 };
  }

  /** From now on it counts as one that is to be started. */
  hold(container: LiveContainer): PendingRestart {
    const pending: PendingRestart = { cancelled: new AbortController() };
    container.pendingRestart = pending;
    return pending;
  }

  /** Resolves when it runs, or will not: a failure goes into the log and the container's record. */
  async release(container: LiveContainer, pending = container.pendingRestart): Promise<void> {
    await container.queue.run(async (signal) => {
      if (pending === undefined || container.pendingRestart !== pending) return;
      if (this.#resting || this.#background.closing.aborted) return;
      try {
        await this.#act.start(container, signal);
      } catch (error) {
        const details = { container: container.id, error: messageOf(error) };
        this.#deps.logger.warn('Cannot start a container as its restart policy says', details);
      }
    });
  }

  /** On a user's word. As in Docker there is no signal to tell of, and those who wait for an end have one. */
  async cancel(container: LiveContainer): Promise<void> {
    container.pendingRestart?.cancelled.abort();
    container.pendingRestart = undefined;
    container.record = { ...container.record, restartDue: false };
    container.nextExit.notify(container.lastResult);
    publishContainerEvent(this.#deps.events, container.record, 'stop');
    try {
      await this.#deps.store.update(container.record, { usesReserve: true });
    } catch (error) {
      const details = { container: container.id, error: messageOf(error) };
      this.#deps.logger.error('Cannot record that a container is not to be restarted', details);
    }
  }

  async #after(container: LiveContainer, pending: PendingRestart, delayMs: number): Promise<void> {
    const signal = AbortSignal.any([this.#background.closing, pending.cancelled.signal]);
    try {
      do await sleep(delayMs, undefined, { signal });
      while (this.#act.mustWait(container));
    } catch {
      return;
    }
    await this.release(container, pending);
  }
}
