import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Health } from './health.ts';

/** Numbers of nanoseconds as text. */
interface WrittenHealth extends Omit<Health, 'log'> {
  generation: number;
  log: { startNano: string; endNano: string; exitCode: number; output: string }[];
}

/** The health of containers, on tmpfs: it outlives the daemon, not the machine. */
export class HealthNotes {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whole or not at all. Synchronous, as `TaskNotes.write`. */
  write(containerId: string, generation: number, health: Health): void {
    const log = health.log.map(({ startNano, endNano, ...result }) => ({
      ...result,
      startNano: String(startNano),
      endNano: String(endNano),
    }));
    const written: WrittenHealth = { ...health, generation, log };
    const path = this.#path(containerId);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.tmp`, JSON.stringify(written), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }

  /** Undefined when nothing, or nothing whole, is known. */
  read(containerId: string): { generation: number; health: Health } | undefined {
    try {
      const { generation, status, failingStreak, log } = JSON.parse(
        readFileSync(this.#path(containerId), 'utf8'),
      ) as WrittenHealth;
      const results = log.map(({ startNano, endNano, exitCode, output }) => ({
        startNano: BigInt(startNano),
        endNano: BigInt(endNano),
        exitCode,
        output,
      }));
      return { generation, health: { status, failingStreak, log: results } };
    } catch {
      return undefined;
    }
  }

  remove(containerId: string): void {
    rmSync(this.#path(containerId), { force: true });
  }

  /** Those of containers that are not there any more go, and what was cut short. */
  keep(containerIds: ReadonlySet<string>): void {
    for (const name of existsSync(this.#directory) ? readdirSync(this.#directory) : [])
      if (!containerIds.has(name.replace(/\.json$/, '')))
        rmSync(join(this.#directory, name), { recursive: true, force: true });
  }

  #path(containerId: string): string {
    return join(this.#directory, `${containerId}.json`);
  }
}
