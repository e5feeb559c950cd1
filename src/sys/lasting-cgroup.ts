import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import { type Logger, silentLogger } from '../errors/logger.ts';

/** Long enough for a start to be over and for several processes to go together: a move holds up all forks of the machine for a moment. */
const DELAY_MS = 100;
/** What systemd keeps of a service or a session: `systemctl kill` ends all that is in it, whatever the unit's KillMode. */
const UNIT = /\.(?:service|scope)$/;

export interface LastingCgroupOptions {
  /** Path of our cgroup, `/sampan-x`; the processes go to `monitors` below. */
  parent: string;
  root?: string;
  /** Path of the cgroup that we are in; default: as the kernel says. */
  own?: string;
  logger?: Logger;
}

/**
 * Where processes that outlive the daemon are taken out of its unit, on hosts with cgroup v2 alone. Elsewhere (no unit, cgroup v1) they
 * stay where they are.
 */
export class LastingCgroup {
  readonly #folder: string | undefined;
  readonly #logger: Logger;
  #pending: number[] = [];
  #timer: Timer | undefined;

  constructor({ parent, root = '/sys/fs/cgroup', own = ownCgroup(), logger }: LastingCgroupOptions) {
    const inUnit = UNIT.test(own) && existsSync(join(root, 'cgroup.controllers'));
    this.#folder = inUnit ? join(root, parent, 'monitors') : undefined;
    this.#logger = logger ?? silentLogger;
  }

  /** Soon. One that has ended meanwhile is none to move. */
  adopt(pid: number): void {
    if (this.#folder === undefined) return;
    this.#pending.push(pid);
    this.#timer ??= setTimeout(() => void this.settle(), DELAY_MS).unref();
  }

  /** What was to be moved soon, now. Never rejects. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pids = this.#pending.splice(0);
    for (const pid of pids) await this.#move(pid);
  }

  /** Moves what still waits; takes the folder away if nobody is in it. */
  async close(): Promise<void> {
    await this.settle();
    if (this.#folder === undefined) return;
    try {
      rmdirSync(this.#folder);
    } catch {
      // Somebody lives there, or it was never made.
    }
  }

  async #move(pid: number): Promise<void> {
    if (this.#folder === undefined) return;
    try {
      mkdirSync(this.#folder, { recursive: true });
      await writeFile(join(this.#folder, 'cgroup.procs'), `${pid}`);
    } catch (error) {
      if (errnoCodeOf(error) === 'ESRCH') return;
      this.#logger.warn('a process that outlives the daemon stays in its unit', {
        pid,
        error: messageOf(error),
      });
    }
  }
}

function ownCgroup(): string {
  try {
    return /^0::(?<path>\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.groups?.['path'] ?? '/';
  } catch {
    return '/';
  }
}
