import { messageOf } from '../../errors/engine-error.ts';
import type { TaskExit } from '../../runtime/runtime.ts';
import { nowNano } from '../../sys/clock.ts';
import { publishContainerEvent, publishEndpointEvent, publishMountEvents } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { balancePorts, sharesPorts } from '../ports/balance-ports.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerRestarts } from '../restarts/container-restarts.ts';
import { clearAway, clearResidue } from '../tasks/clear-away.ts';
import type { BackgroundWork } from './background-work.ts';
import type { ContainerRemoval } from './container-removal.ts';

/** For an answer to go out and its client to end. */
const CLEARING_DELAY_MS = 10;

/** Follows what runs to its end: state, events, those who wait, clearing away. */
export class ContainerExits {
  readonly #deps: ContainerDependencies;
  readonly #removal: ContainerRemoval;
  readonly #restarts: ContainerRestarts;
  readonly #background: BackgroundWork;

  constructor(
    deps: ContainerDependencies,
    after: { removal: ContainerRemoval; restarts: ContainerRestarts; background: BackgroundWork },
  ) {
    this.#deps = deps;
    this.#removal = after.removal;
    this.#restarts = after.restarts;
    this.#background = after.background;
  }

  /** Follow a running task to its end; also for one found at the daemon's start. */
  watch(container: LiveContainer, task: LiveTask): void {
    this.#deps.observer?.running(container, task);
    void balancePorts(container, task, this.#deps);
    this.#background.track(this.#follow(container, task));
  }

  async #follow(container: LiveContainer, task: LiveTask): Promise<void> {
    const { closing } = this.#background;
    let exit: TaskExit;
    try {
      exit = await this.#deps.runtime.wait(task.handle, { signal: closing });
    } catch (error) {
      if (closing.aborted) return;
      exit = this.#lostExit(container, task, error);
    }
    task.exited = true;
    container.hub.release('exited');
    await container.hub.drained();
    await this.#ended(container, task, exit);
  }

  #lostExit(container: LiveContainer, task: LiveTask, error: unknown): TaskExit {
    const reason = messageOf(error);
    this.#deps.logger.error('Cannot wait for a container', { container: container.id, error: reason });
    const { id } = task.handle;
    return { id, exitCode: 137, oomKilled: false, finishedAtNano: nowNano(), error: reason };
  }

  /** The state says so first, then those who wait are told; the commit and the clearing away follow. */
  async #ended(container: LiveContainer, task: LiveTask, exit: TaskExit): Promise<void> {
    container.record = this.#restarts.afterEnd(container, endedRecord(container.record, exit));
    container.task = undefined;
    container.execs.clear();
    this.#deps.observer?.ended(container, task);
    // Whoever hears of the end may want them; those who share them are to be the only ones by then.
    const withdrawn = this.#deps.networks.ports.withdraw(container.id);
    if (sharesPorts(container.record)) await Promise.allSettled([withdrawn]);
    container.hub.end();
    this.#deps.logs.ended(container.id);
    this.#publish(container.record, task);
    const autoRemove = container.record.host.autoRemove && !container.restarting;
    container.cleaning = autoRemove ? Promise.resolve() : this.#commitAndClear(container, task);
    container.nextExit.notify(container.lastResult);
    task.ended.resolve();
    if (autoRemove) await this.#autoRemove(container, task);
    else await container.cleaning;
  }

  #publish(record: ContainerRecord, task: LiveTask): void {
    const { events } = this.#deps;
    const timeNano = record.finishedAtNano;
    const seconds = (timeNano - record.startedAtNano) / 1_000_000_000n;
    const attributes = { exitCode: String(record.exitCode), execDuration: String(seconds) };
    if (record.oomKilled) publishContainerEvent(events, record, 'oom');
    for (const endpoint of task.endpoints) publishEndpointEvent(events, 'disconnect', endpoint, timeNano);
    publishMountEvents(events, 'unmount', record);
    if (task.stop !== undefined) publishContainerEvent(events, record, 'stop', { timeNano });
    publishContainerEvent(events, record, 'die', { attributes, timeNano });
  }

  /** The exit is on disk before the notes go that would tell of it after a crash. */
  async #commitAndClear(container: LiveContainer, task: LiveTask): Promise<void> {
    container.residue = task;
    const recorded = this.#deps.store.update(container.record);
    task.recorded = recorded.catch(() => undefined);
    try {
      await recorded;
      await clearResidue(container, this.#deps);
    } catch (error) {
      this.#deps.logger.error('Cannot clear away after a container', {
        container: container.id,
        error: messageOf(error),
      });
    }
  }

  async #autoRemove(container: LiveContainer, task: LiveTask): Promise<void> {
    const clearing = Promise.withResolvers<void>();
    container.cleaning = clearing.promise;
    try {
      if (!container.removing) await this.#removal.remove(container, { volumes: true });
    } catch (error) {
      this.#deps.logger.error('Cannot remove a container after its exit', {
        container: container.id,
        error: messageOf(error),
      });
    }
    // What was removed is the answer, and those who wait for it come first: they would share their processor with the clearing away.
    await this.#background.pause(CLEARING_DELAY_MS);
    await clearAway(container.record, this.#deps, task);
    clearing.resolve();
  }
}

function endedRecord(record: ContainerRecord, exit: TaskExit): ContainerRecord {
  const { exitCode, oomKilled, error = '' } = exit;
  const finishedAtNano = laterOf(exit.finishedAtNano, record.startedAtNano);
  return { ...record, active: false, exitCode, oomKilled, finishedAtNano, error };
}

/** The kernel dates files by its tick, so the exit file of a short run may look older than the start. */
function laterOf(finishedNano: bigint, startedNano: bigint): bigint {
  return finishedNano > startedNano ? finishedNano : startedNano;
}
