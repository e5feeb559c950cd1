import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepOutcome } from './step.ts';

export interface StepResult extends StepOutcome {
  /** The engine's. */
  commit: string;
}

/** By step. */
export type PlatformResults = Record<string, StepResult>;

/** What the machines have shown so far, over all runs: one file a platform. */
export class MachineResults {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  read(platform: string): PlatformResults {
    const path = this.#path(platform);
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  }

  record(platform: string, step: string, result: StepResult): void {
    const path = this.#path(platform);
    writeFileSync(`${path}.new`, JSON.stringify({ ...this.read(platform), [step]: result }, undefined, 2));
    renameSync(`${path}.new`, path);
  }

  #path(platform: string): string {
    return join(this.#folder, `${platform}.json`);
  }
}
