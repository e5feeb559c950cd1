import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { JournalLimits } from './journal-limits.ts';
import { JournalRotation } from './journal-rotation.ts';
import { LogFiles } from './log-files.ts';

/** Has the monitor of a running container begin its log file anew. @throws when the monitor has ended. */
export type ReopenLog = () => Promise<void>;

export interface KeptJournal {
  id: string;
  path: string;
  limits: JournalLimits;
  /** Undefined: it does not run. */
  reopen: ReopenLog | undefined;
}

/** An empty line takes 46 bytes with its time and its stream: no output makes more of a file than that. */
const MOST_GROWTH = 46;
const MIN_CHECK_BYTES = 1024;
/** An order that has been given is carried out in much less, unless the monitor is stopped. */
const REOPEN_MS = 1000;
const POLL_MS = 5;

interface Kept {
  readonly rotation: JournalRotation;
  readonly limits: JournalLimits;
  readonly queue: SerialQueue;
  reopen: ReopenLog | undefined;
  /** Output that may come until the file could be full. */
  allowance: number;
  checking: boolean;
  packing: boolean;
  forgotten: boolean;
}

/**
 * Holds journals to their limits: rotates those that grow full, packs what was rotated, and at the daemon's start cuts what has outgrown its
 * limits meanwhile.
 */
export class JournalKeeper {
  readonly #logger: Logger;
  readonly #kept = new Map<string, Kept>();
  /** One file at a time: the processors are the containers'. */
  #packing: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A container starts: what its output adds to its file is told to the result. */
  follow(journal: KeptJournal): (bytes: number) => void {
    const kept = this.#entry(journal);
    kept.reopen = journal.reopen;
    kept.allowance = 0;
    return (bytes) => {
      kept.allowance -= bytes;
      if (kept.allowance <= 0 && !kept.checking) void this.#check(journal.id, kept);
    };
  }

  /** What an earlier daemon left half done, or what grew without one. */
  async recover(journal: KeptJournal): Promise<void> {
    const kept = this.#entry(journal);
    kept.reopen = journal.reopen;
    await this.#run(journal.id, kept, async () => {
      await kept.rotation.tidy();
      await this.#finishReopening(kept, 'perhaps');
      if ((await kept.rotation.liveSize()) >= kept.limits.maxFileBytes) await this.#rotate(kept);
      await kept.rotation.drop();
      await kept.rotation.trim();
    });
    void this.#pack(journal.id, kept);
  }

  /** The container's run has ended: its monitor writes no more. */
  ended(id: string): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined) kept.reopen = undefined;
  }

  /** Resolves when nothing touches the container's files any more. */
  async forget(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    kept.forgotten = true;
    this.#kept.delete(id);
    await kept.queue.run(async () => undefined);
    if (kept.packing) await this.#packing;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#kept.keys()].map((id) => this.forget(id)));
    await this.#packing;
  }

  #entry({ id, path, limits }: KeptJournal): Kept {
    const known = this.#kept.get(id);
    if (known !== undefined) return known;
    const kept: Kept = {
      rotation: new JournalRotation(new LogFiles(path), limits),
      limits,
      queue: new SerialQueue(),
      reopen: undefined,
      allowance: 0,
      checking: false,
      packing: false,
      forgotten: false,
    };
    this.#kept.set(id, kept);
    return kept;
  }

  async #check(id: string, kept: Kept): Promise<void> {
    kept.checking = true;
    kept.allowance = MIN_CHECK_BYTES;
    await this.#run(id, kept, async () => {
      const size = await kept.rotation.liveSize();
      if (size >= kept.limits.maxFileBytes && kept.reopen !== undefined) {
        await this.#rotate(kept);
        void this.#pack(id, kept);
      }
      const left = kept.limits.maxFileBytes - (await kept.rotation.liveSize());
      kept.allowance = Math.max(MIN_CHECK_BYTES, left / MOST_GROWTH);
    });
    kept.checking = false;
  }

  async #rotate(kept: Kept): Promise<void> {
    await kept.rotation.shift();
    await this.#finishReopening(kept, 'no');
    await kept.rotation.drop();
  }

  /**
   * Wait until the monitor has begun its file anew. An order that was given is not given again while it may be on its way: the second would
   * put a new file over the first one's lines.
   */
  async #finishReopening(kept: Kept, isOrdered: 'no' | 'perhaps'): Promise<void> {
    const { files } = kept.rotation;
    let nextOrder = isOrdered === 'no' ? 0 : performance.now() + REOPEN_MS;
    while ((await files.liveId()) === undefined) {
      const { reopen } = kept;
      if (reopen === undefined || kept.forgotten) return;
      if (performance.now() >= nextOrder) {
        await reopen();
        nextOrder = performance.now() + REOPEN_MS;
      }
      await sleep(POLL_MS, undefined, { signal: this.#closing.signal });
    }
  }

  /** Pack what was rotated, the oldest first; only the last step is in the way of a rotation. */
  async #pack(id: string, kept: Kept): Promise<void> {
    if (!kept.limits.compress || kept.packing) return;
    kept.packing = true;
    this.#packing = this.#packing.then(async () => {
      while (!kept.forgotten && !this.#closing.signal.aborted && (await this.#packOne(id, kept)));
      kept.packing = false;
    });
    await this.#packing;
  }

  async #packOne(id: string, kept: Kept): Promise<boolean> {
    let packed = false;
    try {
      const file = await kept.rotation.nextToPack();
      const original = file === undefined ? undefined : await kept.rotation.packPart(file);
      if (original === undefined) return false;
      await this.#run(id, kept, async () => {
        await kept.rotation.settlePart(original);
        packed = true;
      });
    } catch (error) {
      this.#warn('Cannot pack a log', id, error);
    }
    return packed;
  }

  async #run(id: string, kept: Kept, work: () => Promise<void>): Promise<void> {
    try {
      await kept.queue.run(async () => {
        if (!kept.forgotten) await work();
      });
    } catch (error) {
      // Its files go with the container; and a monitor that has ended writes no more.
      if (kept.forgotten || this.#closing.signal.aborted || kindOf(error) === 'conflict') return;
      this.#warn('Cannot rotate a log', id, error);
    }
  }

  #warn(what: string, container: string, error: unknown): void {
    this.#logger.warn(what, { container, error: messageOf(error) });
  }
}
