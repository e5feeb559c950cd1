import type { Endpoint } from '../network/network-driver.ts';
import type { TaskHandle } from '../runtime/runtime.ts';
import type { Timeline } from '../sys/timeline.ts';
import type { WaitResult } from './container-backend.ts';
import type { Health } from './health/health.ts';
import type { ContainerRecord } from './record/container-record.ts';
import { SerialQueue } from './serial-queue.ts';
import { StreamHub } from './streams/stream-hub.ts';

/** A start that has not ended. */
export interface LiveTask {
  handle: TaskHandle;
  /** In the order in which it joined its networks. */
  endpoints: Endpoint[];
  paused: boolean;
  /** Resolves when exit code and output are complete and the container's state says so. */
  ended: PromiseWithResolvers<void>;
  /** The process has exited; its last output may still be on the way. */
  exited: boolean;
  /** Resolves when its end is on disk, or can't be; undefined before it has ended, and where the container goes with it. */
  recorded?: Promise<void>;
  /** A user has asked for its end. */
  stop?: TaskStop;
  /** Its limits are being brought to what the record says. */
  updating?: boolean;
}

/** A stop under way. Plain data: the next daemon goes on with it. */
export interface TaskStop {
  signal: number;
  /** Whether the signal has gone out. */
  sent: boolean;
  /** Until SIGKILL; negative: never. */
  seconds: number;
  /** Milliseconds since 1970. */
  sinceMs: number;
  /** Then it starts again. */
  restarts: boolean;
  /** Absent: true. What is not on a user's word starts with the machine. */
  byUser?: boolean;
}

/** The policy starts it again, at its time or as it is cancelled. */
export interface PendingRestart {
  cancelled: AbortController;
}

/** One container in the daemon's memory: its record, its present task and those who wait for it. */
export class LiveContainer {
  record: ContainerRecord;
  readonly hub = new StreamHub();
  /** Serialises create, start, stop, rename and remove. Kill and reads do not wait in it. */
  readonly queue = new SerialQueue();
  task: LiveTask | undefined;
  /** What the last task left is being cleared away; the next start waits for it. */
  cleaning: Promise<void> = Promise.resolve();
  /** Of the start under way, where its client wants to know. */
  timeline: Timeline | undefined;
  /** The last task, while something of it may be on the host. */
  residue: LiveTask | undefined;
  /** Copies into its root that are under way: the next start, and the removal of its files, wait for them. */
  readonly copies = new Set<Promise<unknown>>();
  removing = false;
  /** Being stopped for a restart on a user's word: what removes itself at its end stays. */
  restarting = false;
  /** Between two runs: it counts as running, without a task. */
  pendingRestart: PendingRestart | undefined;
  /** How long the last restart by the policy was held back; 0: there was none since the last start on a user's word. */
  lastDelayMs = 0;
  /** Ids of execs of the present task that have not ended. */
  readonly execs = new Set<string>();
  /** Undefined: never checked. */
  health: Health | undefined;
  readonly nextExit = new Waiters();
  readonly removed = new Waiters();

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  /** Running, paused, or to be restarted. */
  get isUp(): boolean {
    return this.task !== undefined || this.pendingRestart !== undefined;
  }

  /** The result of the last run, as `wait` tells it. */
  get lastResult(): WaitResult {
    return {
      exitCode: this.record.exitCode,
      error: this.record.error === '' ? undefined : this.record.error,
    };
  }
}

/** Callers of `wait`, woken once each. */
export class Waiters {
  #waiting = new Set<(result: WaitResult) => void>();

  /** A promise for the next `notify`; given up when `signal` aborts. */
  wait(signal: AbortSignal): Promise<WaitResult> {
    const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
    const done = (result: WaitResult) => {
      signal.removeEventListener('abort', onAbort);
      resolve(result);
    };
    const onAbort = () => {
      this.#waiting.delete(done);
      reject(signal.reason);
    };
    this.#waiting.add(done);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    // A caller who is gone before it looks at the promise must not make a stray rejection of it.
    promise.catch(() => undefined);
    return promise;
  }

  notify(result: WaitResult): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const resolve of waiting) resolve(result);
  }
}
