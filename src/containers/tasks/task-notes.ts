import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Endpoint } from '../../network/network-driver.ts';
import type { PortHolding } from '../../network/ports/published-ports.ts';
import type { TaskHandle } from '../../runtime/runtime.ts';
import type { TaskStop } from '../live-container.ts';

/** What is known of a running task; lies on tmpfs and dies with the machine, as the task does. */
export interface TaskNote {
  handle: TaskHandle;
  startedAtNano: string;
  endpoints: Endpoint[];
  ports?: PortHolding[];
  paused: boolean;
  stop?: TaskStop;
  updating?: boolean;
}

/** Keeps one note a container under `<execRoot>/notes`. */
export class TaskNotes {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whole or not at all. Synchronous: on tmpfs that is a fraction of what a round over other threads takes. */
  write(containerId: string, note: TaskNote): void {
    const path = this.#path(containerId);
    const temporary = `${path}.tmp`;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, JSON.stringify(note), { mode: 0o600 });
    renameSync(temporary, path);
  }

  async remove(containerId: string): Promise<void> {
    await rm(this.#path(containerId), { force: true });
  }

  /** What no whole note is (a write that was cut short, another's file) is removed: it must not keep the daemon from its start. */
  async load(): Promise<Map<string, TaskNote>> {
    const notes = new Map<string, TaskNote>();
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const path = join(this.#directory, name);
      const note = name.endsWith('.json') ? await readNote(path) : undefined;
      if (note === undefined) await rm(path, { recursive: true, force: true });
      else notes.set(name.slice(0, -'.json'.length), note);
    }
    return notes;
  }

  #path(containerId: string): string {
    return join(this.#directory, `${containerId}.json`);
  }
}

async function readNote(path: string): Promise<TaskNote | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isNote(value) ? withEndpoints(value) : undefined;
  } catch {
    return undefined;
  }
}

/** Notes of the version before: tasks had one endpoint at most. */
interface OneEndpoint {
  endpoint?: Endpoint;
}

function withEndpoints({ endpoint, ...note }: TaskNote & OneEndpoint): TaskNote {
  const endpoints = note.endpoints ?? (endpoint === undefined ? [] : [endpoint]);
  return { ...note, endpoints: endpoints.map(withLaterFields) };
}

/** What endpoints of an earlier version lack. */
function withLaterFields(endpoint: Endpoint): Endpoint {
  const later = { linkLocalAddresses: [], gatewayPriority: 0, names: [], links: {}, forwarding: undefined };
  return Object.assign(later, endpoint);
}

/** The text is our own: by these fields it is told from what was cut short or put there by somebody else. */
function isNote(value: unknown): value is TaskNote {
  const { handle, startedAtNano } = (value ?? {}) as Partial<TaskNote>;
  return (
    /^\d+$/.test(String(startedAtNano)) &&
    typeof handle?.bootId === 'string' &&
    typeof handle.directory === 'string' &&
    Number.isInteger(handle.id?.generation)
  );
}
