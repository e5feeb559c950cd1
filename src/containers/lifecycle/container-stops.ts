import { constants } from 'node:os';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask, TaskStop } from '../live-container.ts';
import { balancePorts } from '../ports/balance-ports.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerRestarts } from '../restarts/container-restarts.ts';
import { parseSignal, SIGKILL, SIGTERM } from '../signals.ts';
import { noteTask } from '../tasks/note-task.ts';
import { notRunning } from '../tasks/running-task.ts';
import { unpauseContainer } from './container-pauses.ts';

const DEFAULT_STOP_SECONDS = 10;
/** `setTimeout` takes no more; a longer time-out counts as none. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** What is sent to end a container; another signal leaves the restart policy as it is, other than in Docker. */
const ENDING_SIGNALS = new Set<number>([
  constants.signals.SIGINT,
  constants.signals.SIGQUIT,
  SIGTERM,
  SIGKILL,
]);
/** How long a killed container may take until it counts as stuck. */
export const KILL_GRACE_MS = 10_000;

export interface StopOptions {
  signal: string | undefined;
  timeoutSeconds: number | undefined;
  /** Default: true. What is not on a user's word is started with the next daemon, as its restart policy says. */
  byUser?: boolean;
}

/** Ends containers on a user's word. */
export class ContainerStops {
  readonly #deps: ContainerDependencies;
  readonly #restarts: ContainerRestarts;

  constructor(deps: ContainerDependencies, restarts: ContainerRestarts) {
    this.#deps = deps;
    this.#restarts = restarts;
  }

  /** Send the stop signal. `ended` resolves when the container has, of itself or, after its time, by SIGKILL. */
  async begin(container: LiveContainer, options: StopOptions): Promise<{ ended: Promise<void> }> {
    const { task } = container;
    const { byUser = true } = options;
    if (container.pendingRestart !== undefined) {
      if (byUser) await this.endRestarts(container);
      return { ended: Promise.resolve() };
    }
    if (task === undefined) throw new EngineError('not-modified', `container ${container.id} is not running`);
    const { config } = container.record;
    const signal = parseSignal(options.signal ?? config.stopSignal ?? String(SIGTERM));
    const seconds = stopSecondsOf(container.record, options);
    // A restart ends in a start: what the policy says goes on to hold.
    const intended = container.restarting || !byUser ? undefined : this.#recordStopIntent(container);
    container.hub.release('stopping');
    if (task.paused) await unpauseContainer(container, this.#deps);
    await intended;
    task.stop = { signal, seconds, sent: false, sinceMs: Date.now(), restarts: container.restarting, byUser };
    await balancePorts(container, task, this.#deps);
    this.#note(container, task);
    return await this.#carryOut(container, task, task.stop);
  }

  /** Go on with a stop that the last daemon had begun: as much time as was left. */
  async resume(container: LiveContainer, task: LiveTask, stop: TaskStop): Promise<void> {
    const elapsed = Math.max(0, (Date.now() - stop.sinceMs) / 1000);
    const seconds = stop.seconds < 0 ? stop.seconds : Math.max(0, stop.seconds - elapsed);
    const { ended } = await this.#carryOut(container, task, { ...stop, seconds });
    await ended;
  }

  async #carryOut(
    container: LiveContainer,
    task: LiveTask,
    { signal, sent, seconds, byUser = true }: TaskStop,
  ): Promise<{ ended: Promise<void> }> {
    if (!sent) await this.#signal(container, task, signal);
    if (task.stop !== undefined) task.stop.sent = true;
    this.#note(container, task);
    return { ended: this.#finish(container, task, { seconds, byUser }) };
  }

  /** A task that has ended meanwhile has no note any more. */
  #note(container: LiveContainer, task: LiveTask): void {
    if (container.task !== task || task.exited) return;
    try {
      noteTask(container, task, this.#deps);
    } catch (error) {
      // On a full tmpfs: a daemon that dies now would forget the stop, which is no reason not to stop.
      this.#deps.logger.warn('Cannot note a stop', { container: container.id, reason: messageOf(error) });
    }
  }

  async #finish(
    container: LiveContainer,
    task: LiveTask,
    { seconds, byUser }: { seconds: number; byUser: boolean },
  ): Promise<void> {
    const ended = seconds === 0 ? false : await endsWithin(task, seconds < 0 ? undefined : seconds * 1000);
    if (!ended) await this.forceEnd(container, task, { byUser });
    // Who was told that it has stopped is told so after the machine went down, too.
    await task.recorded;
  }

  /** SIGKILL, and the certainty that it worked. `byUser`: no policy starts it again. @throws EngineError "internal" when the task outlasts it. */
  async forceEnd(
    container: LiveContainer,
    task: LiveTask,
    { killed = false, byUser = true } = {},
  ): Promise<void> {
    container.hub.release('stopping');
    if (byUser && !container.restarting && !container.record.stoppedByUser)
      await this.#recordStopIntent(container);
    if (!killed) await this.#signal(container, task, SIGKILL);
    if (await endsWithin(task, KILL_GRACE_MS)) return;
    throw outlasted(container);
  }

  /** Between two runs: the policy starts it no more, unless it is stopped for a restart on a user's word. */
  async endRestarts(container: LiveContainer): Promise<void> {
    if (!container.restarting) container.record = { ...container.record, stoppedByUser: true };
    await this.#restarts.cancel(container);
  }

  /** With SIGKILL resolves once it has ended. @throws EngineError "conflict" when it does not run, "internal" when it outlasts SIGKILL. */
  async kill(container: LiveContainer, signal: number): Promise<void> {
    const { task } = container;
    const ends = ENDING_SIGNALS.has(signal) || signal === stopSignalOf(container.record);
    if (container.pendingRestart !== undefined) {
      if (ends) await this.endRestarts(container);
      return;
    }
    if (task === undefined) throw notRunning(container);
    // It has ended of itself just now: as in Docker, the policy does not start it again.
    const endsAnyway = ends && !['', 'no'].includes(container.record.host.restartPolicy.name);
    if (task.exited && !endsAnyway) throw notRunning(container);
    const intended = ends ? this.#recordStopIntent(container) : undefined;
    if (signal === SIGKILL) container.hub.release('stopping');
    await intended;
    try {
      await this.#deps.runtime.kill(task.handle, signal);
    } catch (error) {
      if (endsAnyway && error instanceof EngineError && error.kind === 'conflict') return;
      throw error;
    }
    this.#publishKill(container, signal);
    // As Docker: who has killed it may remove it.
    if (signal === SIGKILL && !(await endsWithin(task, KILL_GRACE_MS))) throw outlasted(container);
  }

  async #signal(container: LiveContainer, task: LiveTask, signal: number): Promise<void> {
    try {
      await this.#deps.runtime.kill(task.handle, signal);
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'conflict') return;
      throw error;
    }
    this.#publishKill(container, signal);
  }

  #publishKill({ record }: LiveContainer, signal: number): void {
    publishContainerEvent(this.#deps.events, record, 'kill', { attributes: { signal: String(signal) } });
  }

  /**
   * On disk before the signal goes out: a daemon that dies before the exit leaves word of what the user wanted. As in Docker it stands until the
   * next start, whether the signal arrives or not, and a disk that takes no word of it keeps nobody from stopping a container. One that
   * removes itself has no policy that it would speak against.
   */
  async #recordStopIntent(container: LiveContainer): Promise<void> {
    if (container.record.stoppedByUser) return;
    container.record = { ...container.record, stoppedByUser: true };
    if (container.record.host.autoRemove) return;
    try {
      await this.#deps.store.markStopped(container.id);
    } catch (error) {
      const details = { container: container.id, error: messageOf(error) };
      this.#deps.logger.error('Cannot record that a container is to stop', details);
    }
  }
}

function outlasted({ id }: LiveContainer): EngineError {
  return new EngineError('internal', `tried to kill container, but did not receive an exit event: ${id}`);
}

/** How long a container may take to stop; negative: as long as it likes. */
export function stopSecondsOf(
  { config }: ContainerRecord,
  options: Pick<StopOptions, 'timeoutSeconds'>,
): number {
  return options.timeoutSeconds ?? config.stopTimeoutSeconds ?? DEFAULT_STOP_SECONDS;
}

/** Whether it has ended by then; undefined: however long it takes. */
export async function endsWithin(task: LiveTask, milliseconds: number | undefined): Promise<boolean> {
  const ended = task.ended.promise.then(() => true);
  if (milliseconds === undefined || milliseconds > MAX_TIMER_MS) return await ended;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const result = await Promise.race([ended, late]);
  clearTimeout(timer);
  return result;
}

function stopSignalOf(record: ContainerRecord): number {
  try {
    return parseSignal(record.config.stopSignal ?? String(SIGTERM));
  } catch {
    return SIGTERM;
  }
}
