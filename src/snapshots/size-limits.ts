import { randomInt } from 'node:crypto';
import { EngineError } from '../errors/engine-error.ts';
import { capability, withoutCapability } from '../sys/capabilities.ts';
import {
  enforcesProjectQuotas,
  isProjectUnused,
  joinProject,
  limitProject,
  projectOf,
} from '../sys/project-quota.ts';

/** Far from the small numbers that administrators give their own projects in /etc/projects. */
const FIRST_PROJECT = 2 ** 30;
const PAST_LAST_PROJECT = 2 ** 31;

/**
 * Bounds what writable snapshots may hold: each that asks for it is a project of its own of the file system, which keeps the limit. Nothing is remembered
 * here: the project is an attribute of the directory.
 */
export class SizeLimits {
  /** Whether the file system holds projects to their limits. */
  readonly #enforced: boolean;
  readonly #directory: string;

  /** `directory`: one on the file system where the snapshots lie. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#enforced = enforcesProjectQuotas(directory);
  }

  /** Bound what comes into the fresh, empty directories of a snapshot. @throws EngineError "invalid" in Docker's words where nothing holds the limit. */
  set({ upper, work }: { upper: string; work: string }, bytes: number): void {
    this.check();
    let project = randomInt(FIRST_PROJECT, PAST_LAST_PROJECT);
    while (!isProjectUnused(this.#directory, project)) project = randomInt(FIRST_PROJECT, PAST_LAST_PROJECT);
    // What is renamed from one to the other must not leave its project.
    joinProject(work, project);
    joinProject(upper, project);
    limitProject(this.#directory, project, bytes);
  }

  /** @throws as `set` does, before anything is made. */
  check(): void {
    if (this.#enforced) return;
    throw new EngineError(
      'invalid',
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
      { hint: "ext4 with 'prjquota' will do as well." },
    );
  }

  /** The limit goes with its snapshot: a project without limit and files is forgotten by the file system. */
  forget(upper: string): void {
    if (!this.#enforced) return;
    const project = projectOf(upper);
    if (project >= FIRST_PROJECT) limitProject(this.#directory, project, 0);
  }

  /**
   * Mount a snapshot. Overlayfs writes with the rights of who has mounted it, and ext4 lets CAP_SYS_RESOURCE pass every limit: a bounded one is mounted
   * without.
   */
  mount(upper: string, mounting: () => void): void {
    if (this.#enforced && projectOf(upper) !== 0) withoutCapability(capability.sysResource, mounting);
    else mounting();
  }
}
