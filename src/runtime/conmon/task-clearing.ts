import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { TaskCgroup } from '../cgroups/task-cgroup.ts';
import type { OciCommand } from '../probe/oci-binary.ts';
import type { TaskId } from '../runtime.ts';
import type { TaskRecord, TaskRecords } from '../task-record.ts';
import type { Monitor } from './conmon.ts';
import type { ConmonExecs } from './conmon-execs.ts';
import { killProcessesOf } from './orphans.ts';
import { signalQuietly } from './signal-quietly.ts';

export interface TaskClearingOptions {
  records: TaskRecords;
  command: OciCommand;
  /** Of the OCI runtime. */
  stateDirectory: string;
  execs: ConmonExecs;
  logger: Logger;
  /** Whether a task that is followed still runs. */
  isAlive(id: TaskId): boolean;
  /** Nothing is left of this start. */
  cleared(id: TaskId): void;
}

const SIGKILL = 9;

/** Takes away what a start has made, whatever became of it: state of the OCI runtime, cgroup, processes, folders, record. */
export class TaskClearing {
  readonly #options: TaskClearingOptions;

  constructor(options: TaskClearingOptions) {
    this.#options = options;
  }

  /** Without a handle: by the record alone, and by what conmon was called with. */
  async undo(record: TaskRecord, monitor: Monitor | undefined): Promise<void> {
    const latest = this.isLatest(record.id);
    if (latest) await this.deleteState(record.id.containerId);
    if (monitor !== undefined) signalQuietly(monitor.child.pid, SIGKILL);
    await monitor?.child.exited;
    if (!(await killProcessesOf(record.directory))) {
      this.#options.logger.warn('cannot kill what is left of a container', {
        container: record.id.containerId,
      });
    }
    if (latest) await this.deleteState(record.id.containerId);
    await this.sweep(record);
  }

  /** What an earlier start left when it could not be removed. @throws EngineError "conflict" when it still runs. */
  async clearEarlier(id: TaskId): Promise<void> {
    for (const record of this.#options.records.others(id)) {
      if (this.#options.isAlive(record.id)) {
        throw new EngineError('conflict', `container ${id.containerId} is already running`);
      }
      await this.undo(record, undefined);
    }
  }

  /** The OCI runtime and the cgroup know the container, not its starts: an older start must not touch a newer one's. */
  isLatest(id: TaskId): boolean {
    return this.#options.records.others(id).every((other) => other.id.generation < id.generation);
  }

  /** A runtime that was killed in the midst of `create` leaves state that it can't read itself: then `sweep` does its work. */
  async deleteState(id: string): Promise<void> {
    try {
      await this.#options.command.delete(id);
    } catch (error) {
      this.#options.logger.warn('the OCI runtime cannot delete a container', {
        container: id,
        error: messageOf(error),
      });
    }
  }

  /** What is left once all processes have ended. */
  async sweep(record: TaskRecord): Promise<void> {
    if (this.isLatest(record.id)) {
      if (!(await new TaskCgroup(record.cgroupPath).remove())) {
        this.#options.logger.warn('cannot remove the cgroup of a container', { cgroup: record.cgroupPath });
      }
      const state = join(this.#options.stateDirectory, record.id.containerId);
      await rm(state, { recursive: true, force: true });
    }
    await this.#options.execs.forget(record.id);
    await rm(record.directory, { recursive: true, force: true });
    this.#options.cleared(record.id);
    this.#options.records.remove(record.id);
  }
}
