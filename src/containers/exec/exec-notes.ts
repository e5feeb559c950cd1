import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecHandle } from '../../runtime/exec.ts';
import type { ExecConfig } from './exec-backend.ts';

/** What is known of a running exec; on tmpfs. */
export interface ExecNote {
  handle: ExecHandle;
  config: ExecConfig;
}

type WrittenConfig = Omit<ExecConfig, 'detachKeys'> & { detachKeys: number[] };

/** One note an exec, from its start to its end. */
export class ExecNotes {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whole or not at all. Synchronous, as `TaskNotes.write`. */
  write({ handle, config }: ExecNote): void {
    const path = this.#path(handle.execId);
    const written: WrittenConfig = { ...config, detachKeys: [...config.detachKeys] };
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.tmp`, JSON.stringify({ handle, config: written }), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }

  remove(execId: string): void {
    rmSync(this.#path(execId), { force: true });
  }

  /** What is no whole note is removed. */
  async load(): Promise<ExecNote[]> {
    const notes: ExecNote[] = [];
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const path = join(this.#directory, name);
      const note = name.endsWith('.json') ? await readNote(path) : undefined;
      if (note === undefined) await rm(path, { recursive: true, force: true });
      else notes.push(note);
    }
    return notes;
  }

  #path(execId: string): string {
    return join(this.#directory, `${execId}.json`);
  }
}

async function readNote(path: string): Promise<ExecNote | undefined> {
  try {
    const { handle, config } = JSON.parse(await readFile(path, 'utf8')) as {
      handle?: ExecHandle;
      config?: WrittenConfig;
    };
    const whole = typeof handle?.execId === 'string' && typeof handle.id?.containerId === 'string';
    if (!whole || !Array.isArray(config?.command) || !Array.isArray(config.detachKeys)) return undefined;
    return { handle, config: { ...config, detachKeys: Uint8Array.from(config.detachKeys) } };
  } catch {
    return undefined;
  }
}
