import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupVersion } from './task-cgroup.ts';

const ROOT = '/sys/fs/cgroup';
/** Any v1 hierarchy will do, as the kernel has one lock for all of them; containers' limits don't concern this one. */
const HIERARCHY = 'pids';

/**
 * Has the kernel's wait behind us when a container is moved to its cgroups.
 *
 * Moving a process waits for an RCU grace period (8 to 16 ms), unless another move was made within the last 12 ms. So we move ourselves to
 * where we are, which changes nothing, while there is other work to do. It blocks its thread, which is one of Bun's pool for files.
 */
export class CgroupWarmth {
  readonly #root: string;
  readonly #useful: boolean;
  #moving = false;

  constructor(root = ROOT) {
    this.#root = root;
    this.#useful = cgroupVersion(root) === '1' && this.#ownProcs() !== undefined;
  }

  /** A process will be moved within some 20 ms. Costs next to nothing when one is being warmed up for already. */
  anticipate(): void {
    if (!this.#useful || this.#moving) return;
    const path = this.#ownProcs();
    if (path === undefined) return;
    this.#moving = true;
    void writeFile(path, '0')
      .catch(() => undefined)
      .finally(() => {
        this.#moving = false;
      });
  }

  /** Read anew each time: were we moved elsewhere meanwhile, the old path would take us back. */
  #ownProcs(): string | undefined {
    try {
      const path = /^\d+:pids:(?<path>\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.groups?.[
        'path'
      ];
      const file = path === undefined ? undefined : join(this.#root, HIERARCHY, path, 'cgroup.procs');
      return file !== undefined && existsSync(file) ? file : undefined;
    } catch {
      return undefined;
    }
  }
}
