import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootId, nowNano, processStartTicks } from '../../sys/clock.ts';
import { Pidfd } from '../../sys/pidfd.ts';
import type { TaskCgroup } from '../cgroups/task-cgroup.ts';
import type { TaskExit, TaskHandle } from '../runtime.ts';
import { taskFiles } from './conmon.ts';

const SIGKILL = 9;
const KILLED = 128 + SIGKILL;
/**
 * From the end of init to the end of conmon, which has at most two pipes to empty. Less than the 10 s that a removal by force waits for
 * the exit.
 */
export const MONITOR_PATIENCE_MS = 7000;

/** The two processes of a task, held by pidfd, and how it ended. */
export class TaskWatch {
  readonly handle: TaskHandle;
  readonly cgroup: TaskCgroup;
  readonly #init: Pidfd | undefined;
  readonly #monitor: Pidfd | undefined;
  #exit: Promise<TaskExit> | undefined;
  #ended = false;

  readonly #noun: string;

  /** `noun`: what errors call it. */
  constructor(handle: TaskHandle, cgroup: TaskCgroup, noun = 'container') {
    this.handle = handle;
    this.cgroup = cgroup;
    this.#noun = noun;
    const thisBoot = handle.bootId === bootId();
    this.#init = thisBoot ? openExactly(handle.pid, handle.pidStartTicks) : undefined;
    this.#monitor = thisBoot ? openExactly(handle.monitorPid, handle.monitorStartTicks) : undefined;
  }

  /** Whether the task's end, init's and the monitor's, is known. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves once init has ended; at once when it had before this watch. */
  initExited(): Promise<void> {
    return this.#init?.exited() ?? Promise.resolve();
  }

  monitorExited(): Promise<void> {
    return this.#monitor?.exited() ?? Promise.resolve();
  }

  /** False when init has ended. */
  signal(signal: number): boolean {
    return this.#init?.signal(signal) ?? false;
  }

  killMonitor(): void {
    this.#monitor?.signal(SIGKILL);
  }

  exit(): Promise<TaskExit> {
    this.#exit ??= this.#settle();
    return this.#exit;
  }

  close(): void {
    this.#init?.close();
    this.#monitor?.close();
  }

  /** conmon ends right after the exit file has been written (temporary file, then rename), so its end is the one event to wait for. */
  async #settle(): Promise<TaskExit> {
    await this.#monitorDone();
    const exit = this.#recorded() ?? (await this.#orphaned());
    this.#ended = true;
    return exit;
  }

  /** A monitor that hangs (stopped, or its log's disk is) must not hide for ever that the container has ended. */
  async #monitorDone(): Promise<void> {
    const stuck = Promise.withResolvers<void>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let done = false;
    void this.initExited().then(() => {
      if (!done) timer = setTimeout(stuck.resolve, MONITOR_PATIENCE_MS);
    });
    await Promise.race([this.monitorExited(), stuck.promise]);
    done = true;
    clearTimeout(timer);
    this.killMonitor();
    await this.monitorExited();
  }

  #recorded(): TaskExit | undefined {
    const { id, directory } = this.handle;
    const path = join(directory, taskFiles.exits, id.containerId);
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (!/^-?\d+$/.test(text)) return undefined;
      return this.#result(Number(text) & 0xff, statSync(path, { bigint: true }).mtimeNs);
    } catch {
      return undefined;
    }
  }

  /** The monitor died. Nobody reads the container's output any more and nobody reaps for it: it is killed. */
  async #orphaned(): Promise<TaskExit> {
    const alive = this.#init?.signal(SIGKILL) ?? false;
    await this.initExited();
    const exitCode = alive ? undefined : await this.#reapedCode();
    if (exitCode !== undefined) return this.#result(exitCode, nowNano());
    const error = alive
      ? `The monitor of the ${this.#noun} died; the ${this.#noun} was killed`
      : `The monitor of the ${this.#noun} died, and with it the exit code`;
    return { ...this.#result(KILLED, nowNano()), error };
  }

  /** Whoever adopted init reaps it in its own time. */
  async #reapedCode(): Promise<number | undefined> {
    if (this.#init === undefined) return undefined;
    for (let attempt = 0; attempt < 10; attempt++) {
      const code = this.#init.exitCode();
      if (code !== undefined) return code;
      await sleep(20);
    }
    return undefined;
  }

  #result(exitCode: number, finishedAtNano: bigint): TaskExit {
    const oomKilled = existsSync(join(this.handle.directory, taskFiles.oom)) || this.cgroup.oomKills() > 0;
    return { id: this.handle.id, exitCode, oomKilled, finishedAtNano };
  }
}

/** Undefined when that very process is gone, even if another one bears its number now. */
function openExactly(pid: number, startTicks: number): Pidfd | undefined {
  if (pid <= 0) return undefined;
  const pidfd = Pidfd.open(pid);
  if (pidfd === undefined || processStartTicks(pid) === startTicks) return pidfd;
  pidfd.close();
  return undefined;
}
