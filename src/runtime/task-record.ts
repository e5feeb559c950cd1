import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskId } from './runtime.ts';

/** What the driver itself must know of a task to remove it after the daemon died, whoever started it. */
export interface TaskRecord {
  id: TaskId;
  directory: string;
  cgroupPath: string;
}

const RECORD = '.json';

/** Records of living tasks: small files on tmpfs, written before the first process is, and held in memory. */
export class TaskRecords {
  readonly #directory: string;
  readonly #records = new Map<string, TaskRecord>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) {
      const record = name.endsWith(RECORD) ? read(join(directory, name)) : undefined;
      if (record !== undefined) this.#records.set(taskKey(record.id), record);
    }
  }

  add(record: TaskRecord): void {
    // Somebody may have cleared the exec root under the daemon: starts go on.
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(this.#path(record.id), JSON.stringify(record), { mode: 0o600 });
    this.#records.set(taskKey(record.id), record);
  }

  get(id: TaskId): TaskRecord | undefined {
    return this.#records.get(taskKey(id));
  }

  remove(id: TaskId): void {
    rmSync(this.#path(id), { force: true });
    this.#records.delete(taskKey(id));
  }

  list(): TaskRecord[] {
    return [...this.#records.values()];
  }

  /** Records of other starts of the same container. The OCI runtime and the cgroup know the container alone. */
  others(id: TaskId): TaskRecord[] {
    return this.list().filter(
      (record) => record.id.containerId === id.containerId && record.id.generation !== id.generation,
    );
  }

  #path(id: TaskId): string {
    return join(this.#directory, `${taskKey(id)}${RECORD}`);
  }
}

/** Unlike the container's id alone, unique over its starts. */
export function taskKey(id: TaskId): string {
  return `${id.containerId}.${id.generation}`;
}

/** Undefined when it cannot be read, e.g. cut off by a crash while it was written: then nothing had been started yet. */
function read(path: string): TaskRecord | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as TaskRecord;
    return typeof value.directory === 'string' && typeof value.id.containerId === 'string'
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}
