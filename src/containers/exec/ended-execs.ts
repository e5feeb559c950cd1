import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskId } from '../../runtime/runtime.ts';
import type { ContainerPaths } from '../record/container-paths.ts';
import { type ExecNote, parseNote, renderNote } from './exec-notes.ts';

/** An exec that has ended, and how. */
export interface EndedExec extends ExecNote {
  exitCode: number;
  endedAtMs: number;
}

/** What is kept of execs that have ended, for a daemon that is killed meanwhile: in the folder of the container's start, with which it goes. */
export class EndedExecs {
  readonly #paths: Pick<ContainerPaths, 'task'>;

  constructor(paths: Pick<ContainerPaths, 'task'>) {
    this.#paths = paths;
  }

  /** Whole or not at all; nothing where the container is being cleared away. Synchronous, as `ExecNotes.write`. */
  write({ exitCode, endedAtMs, ...note }: EndedExec): void {
    const { id, execId } = note.handle;
    const path = join(this.#folder(id), `${execId}.json`);
    try {
      mkdirSync(this.#folder(id), { mode: 0o700 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EEXIST') throw error;
    }
    writeFileSync(`${path}.tmp`, JSON.stringify({ ...renderNote(note), exitCode, endedAtMs }), {
      mode: 0o600,
    });
    renameSync(`${path}.tmp`, path);
  }

  remove({ id, execId }: ExecNote['handle']): void {
    rmSync(join(this.#folder(id), `${execId}.json`), { force: true });
  }

  /** Those of one start of a container, in the order of their ends. */
  async load(id: TaskId): Promise<EndedExec[]> {
    const found: EndedExec[] = [];
    for (const name of await readdir(this.#folder(id)).catch(() => [])) {
      const text = await readFile(join(this.#folder(id), name), 'utf8').catch(() => '');
      const note = name.endsWith('.json') ? parseNote(text) : undefined;
      if (note === undefined) continue;
      const { exitCode, endedAtMs } = JSON.parse(text) as Partial<EndedExec>;
      if (typeof exitCode === 'number' && typeof endedAtMs === 'number')
        found.push({ ...note, exitCode, endedAtMs });
    }
    return found.toSorted((a, b) => a.endedAtMs - b.endedAtMs);
  }

  #folder({ containerId, generation }: TaskId): string {
    return join(this.#paths.task(containerId, generation), 'ended');
  }
}
