import { rm, rmdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { Statement } from '../storage/state-db.ts';
import { nowNano } from '../sys/clock.ts';
import {
  publishContainerEvent,
  publishEndpointEvent,
  publishMountEvents,
  publishNetworkEvent,
  publishVolumeEvent,
} from './container-events.ts';
import { networksOf, usesOwnNetwork } from './container-networks.ts';
import type { ContainerRecord } from './container-record.ts';
import type { ContainerIndex } from './container-store.ts';
import type { ContainerDependencies } from './dependencies.ts';
import type { LiveContainer, LiveTask } from './live-container.ts';
import { parseSignal, SIGKILL, SIGTERM } from './signals.ts';
import { snapshotKeyOf, startFailureCode, startFailureText, startTask } from './task-starter.ts';
import { UndoStack } from './undo.ts';

const DEFAULT_STOP_SECONDS = 10;
/** `setTimeout` takes no more; a longer time-out counts as none. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** For an answer to go out and its client to end. */
const CLEARING_DELAY_MS = 10;
/** How long a killed container may take until it counts as stuck. */
export const KILL_GRACE_MS = 10_000;

export interface StopOptions {
  signal: string | undefined;
  timeoutSeconds: number | undefined;
}

/** Starts, stops and ends containers, and clears away after them. Callers queue per container. */
export class Lifecycle {
  readonly #deps: ContainerDependencies;
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #background = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(deps: ContainerDependencies, index: ContainerIndex<LiveContainer>) {
    this.#deps = deps;
    this.#index = index;
  }

  /** @throws EngineError "not-modified" when it runs, "conflict" while it is being removed, else as `startTask`. */
  async start(container: LiveContainer): Promise<void> {
    if (container.removing)
      throw new EngineError('conflict', 'container is marked for removal and cannot be started');
    if (container.task?.paused)
      throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
    if (container.task !== undefined)
      throw new EngineError('not-modified', `container ${container.id} is already running`);
    await Promise.allSettled([container.cleaning, ...container.copies]);
    await this.#clearResidue(container);
    let task: LiveTask;
    try {
      task = await startTask(container, this.#deps);
    } catch (error) {
      await this.#startFailed(container, error);
      throw error;
    }
    container.task = task;
    publishMountEvents(this.#deps.events, 'mount', container.record);
    for (const endpoint of task.endpoints) publishEndpointEvent(this.#deps.events, 'connect', endpoint);
    publishContainerEvent(this.#deps.events, container.record, 'start');
    this.watch(container, task);
  }

  /** Follow a running task to its end; also for one found at the daemon's start. */
  watch(container: LiveContainer, task: LiveTask): void {
    this.#track(this.#follow(container, task));
  }

  /** @throws EngineError "not-modified" when it does not run. */
  async stop(container: LiveContainer, options: StopOptions): Promise<void> {
    const { ended } = await this.beginStop(container, options);
    await ended;
  }

  /** Send the stop signal. `ended` resolves when the container has, of itself or, after its time, by SIGKILL. */
  async beginStop(container: LiveContainer, options: StopOptions): Promise<{ ended: Promise<void> }> {
    const { task } = container;
    if (task === undefined) throw new EngineError('not-modified', `container ${container.id} is not running`);
    const { config } = container.record;
    const signal = parseSignal(options.signal ?? config.stopSignal ?? String(SIGTERM));
    const seconds = options.timeoutSeconds ?? config.stopTimeoutSeconds ?? DEFAULT_STOP_SECONDS;
    // A restart ends in a start: what the policy says goes on to hold.
    const intended = container.restarting ? undefined : this.#recordStopIntent(container);
    container.hub.release('stopping');
    if (task.paused) await this.unpause(container);
    await intended;
    task.stopping = true;
    await this.#signal(container, task, signal);
    return { ended: this.#finishStop(container, task, seconds) };
  }

  /** Stop, where it runs, and start. A container that removes itself at its end lives through it. */
  async restart(container: LiveContainer, options: StopOptions): Promise<void> {
    container.restarting = true;
    try {
      if (container.task !== undefined) await this.stop(container, options);
    } finally {
      container.restarting = false;
    }
    await this.start(container);
  }

  async #finishStop(container: LiveContainer, task: LiveTask, seconds: number): Promise<void> {
    const ended = seconds === 0 ? false : await endsWithin(task, seconds < 0 ? undefined : seconds * 1000);
    if (!ended) await this.forceEnd(container, task);
  }

  /** SIGKILL, and the certainty that it worked. @throws EngineError "internal" when the task outlasts it. */
  async forceEnd(container: LiveContainer, task: LiveTask, { killed = false } = {}): Promise<void> {
    container.hub.release('stopping');
    if (!killed) await this.#signal(container, task, SIGKILL);
    if (await endsWithin(task, KILL_GRACE_MS)) return;
    throw new EngineError(
      'internal',
      `tried to kill container, but did not receive an exit event: ${container.id}`,
    );
  }

  /** @throws EngineError "conflict" when it does not run. */
  async kill(container: LiveContainer, signal: number): Promise<void> {
    const { task } = container;
    if (task === undefined || task.exited) throw notRunning(container);
    const ends = signal === SIGKILL || signal === stopSignalOf(container.record);
    const intended = ends ? this.#recordStopIntent(container) : undefined;
    if (signal === SIGKILL) container.hub.release('stopping');
    await intended;
    await this.#deps.runtime.kill(task.handle, signal);
    publishContainerEvent(this.#deps.events, container.record, 'kill', {
      attributes: { signal: String(signal) },
    });
  }

  async pause(container: LiveContainer): Promise<void> {
    const task = runningTask(container);
    if (task.paused) throw new EngineError('conflict', `Container ${container.id} is already paused`);
    await this.#deps.runtime.pause(task.handle);
    await this.#setPaused(container, task, true);
  }

  async unpause(container: LiveContainer): Promise<void> {
    const { task } = container;
    if (task === undefined || !task.paused)
      throw new EngineError('conflict', `Container ${container.id} is not paused`);
    await this.#deps.runtime.resume(task.handle);
    await this.#setPaused(container, task, false);
  }

  /**
   * Remove a container that does not run: its record first, which is the answer, then in the background what it had on disk. When it fails,
   * the container stays and can be removed again. `volumes`: those that were made for it go with it.
   */
  async remove(container: LiveContainer, options: { volumes: boolean }): Promise<void> {
    container.removing = true;
    const { record } = container;
    const volumes = options.volumes ? record.volumes.map(({ name }) => name) : [];
    try {
      await this.#removeRecord(record.id, this.#deps.volumes.removals(volumes));
    } catch (error) {
      container.removing = false;
      container.removed.notify({ exitCode: record.exitCode, error: messageOf(error) });
      throw error;
    }
    this.#index.remove(container);
    container.hub.end();
    for (const name of volumes) publishVolumeEvent(this.#deps.events, 'destroy', name);
    publishContainerEvent(this.#deps.events, record, 'destroy');
    container.nextExit.notify(container.lastResult);
    // What ended it is told by `inspect` and by the failed call; the removal went well.
    container.removed.notify({ exitCode: container.record.exitCode, error: undefined });
    this.#track(this.#removeFiles(container, volumes));
  }

  /** Where the container's own log has filled the disk, that goes first. */
  async #removeRecord(id: string, also: readonly Statement[]): Promise<void> {
    try {
      await this.#deps.store.remove(id, also);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'no-space') throw error;
      await rm(this.#deps.paths.log(id), { force: true });
      await this.#deps.store.remove(id, also);
    }
  }

  /** Resolves when nothing is being cleared away any more. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Stop following; what runs, runs on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  async #follow(container: LiveContainer, task: LiveTask): Promise<void> {
    const { runtime } = this.#deps;
    let exit: Awaited<ReturnType<typeof runtime.wait>>;
    try {
      exit = await runtime.wait(task.handle, { signal: this.#closing.signal });
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#deps.logger.error('Cannot wait for a container', {
        container: container.id,
        error: messageOf(error),
      });
      exit = {
        id: task.handle.id,
        exitCode: 137,
        oomKilled: false,
        finishedAtNano: nowNano(),
        error: messageOf(error),
      };
    }
    task.exited = true;
    container.hub.release('exited');
    await container.hub.drained();
    await this.#ended(container, task, exit);
  }

  /** The state says so first, then those who wait are told; the commit and the clearing away follow. */
  async #ended(
    container: LiveContainer,
    task: LiveTask,
    exit: { exitCode: number; oomKilled: boolean; finishedAtNano: bigint; error?: string },
  ): Promise<void> {
    const { deps, record } = { deps: this.#deps, record: container.record };
    const { exitCode, oomKilled } = exit;
    const finishedAtNano = laterOf(exit.finishedAtNano, record.startedAtNano);
    container.record = {
      ...record,
      active: false,
      exitCode,
      oomKilled,
      finishedAtNano,
      error: exit.error ?? '',
    };
    container.task = undefined;
    container.hub.end();
    const seconds = (finishedAtNano - record.startedAtNano) / 1_000_000_000n;
    if (oomKilled) publishContainerEvent(deps.events, record, 'oom');
    const attributes = { exitCode: String(exitCode), execDuration: String(seconds) };
    const timeNano = finishedAtNano;
    for (const endpoint of task.endpoints)
      publishEndpointEvent(deps.events, 'disconnect', endpoint, timeNano);
    publishMountEvents(deps.events, 'unmount', record);
    if (task.stopping) publishContainerEvent(deps.events, record, 'stop', { timeNano });
    publishContainerEvent(deps.events, record, 'die', { attributes, timeNano });
    const autoRemove = record.host.autoRemove && !container.restarting;
    container.cleaning = autoRemove ? Promise.resolve() : this.#commitAndClear(container, task);
    container.nextExit.notify(container.lastResult);
    task.ended.resolve();
    if (autoRemove) await this.#autoRemove(container, task);
    else await container.cleaning;
  }

  /** The exit is on disk before the notes go that would tell of it after a crash. */
  async #commitAndClear(container: LiveContainer, task: LiveTask): Promise<void> {
    container.residue = task;
    try {
      await this.#deps.store.update(container.record);
      await this.#clearResidue(container);
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
      if (!container.removing) await this.remove(container, { volumes: true });
    } catch (error) {
      this.#deps.logger.error('Cannot remove a container after its exit', {
        container: container.id,
        error: messageOf(error),
      });
    }
    // What was removed is the answer, and those who wait for it come first: they would share their processor with the clearing away.
    await this.#pause(CLEARING_DELAY_MS);
    await this.#clearTask(container.record, task);
    clearing.resolve();
  }

  /** Also later, what a failed commit has left standing: the next start, or the removal, has no more use for it. */
  async #clearResidue(container: LiveContainer): Promise<void> {
    const { residue } = container;
    container.residue = undefined;
    if (residue !== undefined) await this.#clearTask(container.record, residue);
  }

  async #clearTask(record: ContainerRecord, task: LiveTask): Promise<void> {
    await clearAway(record, this.#deps, task);
  }

  async #removeFiles(container: LiveContainer, volumes: readonly string[]): Promise<void> {
    const { snapshotter, paths, logger } = this.#deps;
    try {
      await Promise.allSettled([container.cleaning, ...container.copies]);
      await this.#clearResidue(container);
      await snapshotter.remove(snapshotKeyOf(container.id));
      await rm(paths.directory(container.id), { recursive: true, force: true });
      this.#deps.images.containerGone(container.record.image.id);
      await this.#deps.volumes.discard(volumes);
    } catch (error) {
      logger.error('Cannot remove the files of a container', {
        container: container.id,
        error: messageOf(error),
      });
    }
  }

  async #startFailed(container: LiveContainer, error: unknown): Promise<void> {
    const failed = { exitCode: startFailureCode(error), error: startFailureText(error) };
    container.record = { ...container.record, ...failed, active: false };
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
        this.remove(container, { volumes: true }),
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

  /**
   * On disk before the signal goes out: a daemon that dies before the exit leaves word of what the user wanted. As in Docker it stands until the
   * next start, whether the signal arrives or not, and a disk that takes no word of it keeps nobody from stopping a container. One that
   * removes itself has no policy that it would speak against.
   */
  async #recordStopIntent(container: LiveContainer): Promise<void> {
    if (container.record.stoppedByUser) return;
    container.record = { ...container.record, stoppedByUser: true };
    if (container.record.host.autoRemove) return;
    await this.#attempt('record that a container is to stop', container, () =>
      this.#deps.store.markStopped(container.id),
    );
  }

  async #signal(container: LiveContainer, task: LiveTask, signal: number): Promise<void> {
    try {
      await this.#deps.runtime.kill(task.handle, signal);
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'conflict') return;
      throw error;
    }
    publishContainerEvent(this.#deps.events, container.record, 'kill', {
      attributes: { signal: String(signal) },
    });
  }

  async #setPaused(container: LiveContainer, task: LiveTask, paused: boolean): Promise<void> {
    if (container.task !== task) throw notRunning(container);
    task.paused = paused;
    const { handle, endpoints } = task;
    const startedAtNano = String(container.record.startedAtNano);
    this.#deps.notes.write(container.id, { handle, startedAtNano, endpoints, paused });
    // Killed meanwhile: the note that was cleared away must not come back, or the next daemon would look for the task.
    if (container.task !== task) {
      await this.#deps.notes.remove(container.id);
      throw notRunning(container);
    }
    publishContainerEvent(this.#deps.events, container.record, paused ? 'pause' : 'unpause');
  }

  /** Ends at once when the daemon is closed. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  #track(job: Promise<void>): void {
    const tracked = job.catch((error: unknown) =>
      this.#deps.logger.error('Work behind a container failed', { error: messageOf(error) }),
    );
    this.#background.add(tracked);
    void tracked.finally(() => this.#background.delete(tracked));
  }
}

/** Take away what a task had on the host: runtime state, network, mount, note. Every step is tried; absent is fine. */
export async function clearAway(
  record: ContainerRecord,
  deps: ContainerDependencies,
  task: Pick<LiveTask, 'handle' | 'endpoints'>,
): Promise<void> {
  const undo = new UndoStack(deps.logger);
  const rootfs = deps.paths.rootfs(record.id);
  undo.add('forget the task', () => deps.notes.remove(record.id));
  undo.add('remove the task directory', () => rmdir(deps.paths.tasks(record.id)).catch(() => undefined));
  undo.add('remove the mount point', () => rmdir(rootfs).catch(() => undefined));
  undo.add('unmount the root', () => deps.snapshotter.unmount(snapshotKeyOf(record.id), rootfs));
  if (usesOwnNetwork(record.host.networkMode)) {
    undo.add('remove the network namespace', () => deps.networks.removeNamespace(record.id));
  }
  for (const endpoint of task.endpoints)
    undo.add('leave a network', () => deps.networks.disconnect(endpoint));
  undo.add('remove the task', () => deps.runtime.remove(task.handle));
  await undo.unwind();
}

/** The kernel dates files by its tick, so the exit file of a short run may look older than the start. */
function laterOf(finishedNano: bigint, startedNano: bigint): bigint {
  return finishedNano > startedNano ? finishedNano : startedNano;
}

async function endsWithin(task: LiveTask, milliseconds: number | undefined): Promise<boolean> {
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

export function notRunning(container: LiveContainer): EngineError {
  return new EngineError('conflict', `container ${container.id} is not running`);
}

export function runningTask(container: LiveContainer): LiveTask {
  if (container.task === undefined || container.task.exited) throw notRunning(container);
  return container.task;
}

function stopSignalOf(record: ContainerRecord): number {
  try {
    return parseSignal(record.config.stopSignal ?? String(SIGTERM));
  } catch {
    return SIGTERM;
  }
}
