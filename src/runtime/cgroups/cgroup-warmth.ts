import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupVersion } from './task-cgroup.ts';

/** Any v1 hierarchy will do, as the kernel has one lock for all of them; containers' limits don't concern this one. */
const HIERARCHY = 'pids';
const OWN_PLACE = {
  1: /^\d+:pids:(?<path>\/.*)$/m,
  2: /^0::(?<path>\/.*)$/m,
};

/** From the client's request to make a container until its first process is moved: two rounds to the client, and a start. */
const WARM_MS = 60;
/** Well within the 12 ms that a move's warmth lasts. */
const AGAIN_MS = 6;

/**
 * Has the kernel's wait behind us when a container is moved to its cgroups.
 *
 * Moving a process waits for an RCU grace period (8 to 16 ms), unless another move was made within the last 12 ms. So we move ourselves to
 * where we are, which changes nothing, while there is other work to do, and again for as long as it may take. It blocks its thread, which
 * is one of Bun's pool for files.
 */
export class CgroupWarmth {
  readonly #root: string;
  readonly #own: () => string;
  #untilMs = 0;
  #moving = false;
  #underWay = 0;

  /** @param options.own the text of /proc/self/cgroup */
  constructor({ root = '/sys/fs/cgroup', own = ownCgroups }: { root?: string; own?: () => string } = {}) {
    this.#root = root;
    this.#own = own;
  }

  /** A process will be moved within some 60 ms. Costs next to nothing while it is warm already. */
  anticipate(): void {
    this.#untilMs = performance.now() + WARM_MS;
    if (this.#moving) return;
    this.#moving = true;
    void this.#keepWarm().finally(() => {
      this.#moving = false;
    });
  }

  /** A process is about to be moved; `end` follows once it has been. */
  begin(): void {
    this.#underWay++;
    this.anticipate();
  }

  /** With the last that was under way, rest: each move of ours holds up all forks of the machine for a moment. */
  end(): void {
    if (--this.#underWay === 0) this.#untilMs = 0;
  }

  async #keepWarm(): Promise<void> {
    while (performance.now() < this.#untilMs) {
      const path = this.#ownProcs();
      if (path === undefined) return;
      await writeFile(path, '0').catch(() => undefined);
      await sleep(AGAIN_MS);
    }
  }

  /** Read anew each time: were we moved elsewhere meanwhile, the old path would take us back. */
  #ownProcs(): string | undefined {
    const version = cgroupVersion(this.#root);
    const path = OWN_PLACE[version].exec(this.#own())?.groups?.['path'];
    const hierarchy = version === '1' ? HIERARCHY : '';
    const file = path === undefined ? undefined : join(this.#root, hierarchy, path, 'cgroup.procs');
    return file !== undefined && existsSync(file) ? file : undefined;
  }
}

function ownCgroups(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'utf8');
  } catch {
    return '';
  }
}
