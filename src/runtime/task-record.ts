import { RecordFolder } from './record-folder.ts';
import type { TaskId } from './runtime.ts';

/** What the driver itself must know of a task to remove it after the daemon died, whoever started it. */
export interface TaskRecord {
  id: TaskId;
  directory: string;
  cgroupPath: string;
}

/** Records of living tasks, written before the first process is. */
export class TaskRecords {
  readonly #folder: RecordFolder<TaskRecord>;

  constructor(directory: string) {
    this.#folder = new RecordFolder(directory, ({ id }) => taskKey(id), decode);
  }

  add(record: TaskRecord): void {
    this.#folder.add(record);
  }

  get(id: TaskId): TaskRecord | undefined {
    return this.#folder.get(taskKey(id));
  }

  remove(id: TaskId): void {
    this.#folder.remove(taskKey(id));
  }

  list(): TaskRecord[] {
    return this.#folder.list();
  }

  /** Records of other starts of the same container. The OCI runtime and the cgroup know the container alone. */
  others(id: TaskId): TaskRecord[] {
    return this.list().filter(
      (record) => record.id.containerId === id.containerId && record.id.generation !== id.generation,
    );
  }
}

/** Unlike the container's id alone, unique over its starts. */
export function taskKey(id: TaskId): string {
  return `${id.containerId}.${id.generation}`;
}

function decode(value: unknown): TaskRecord | undefined {
  const record = value as TaskRecord;
  return typeof record.directory === 'string' && typeof record.id.containerId === 'string'
    ? record
    : undefined;
}
