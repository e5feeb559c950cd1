import { EngineError } from '../../errors/engine-error.ts';
import type { LiveContainer } from '../live-container.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import type { EndedExecs } from './ended-execs.ts';
import type { LiveExec } from './live-exec.ts';

/** How long an exec that has ended can be asked about, and how many such. */
const KEPT_MS = 10 * 60_000;
const MAX_KEPT = 1000;

/** Which execs there are, and for how long each can be asked about. */
export class ExecIndex {
  readonly #containers: ContainerIndex<LiveContainer>;
  readonly #codes: EndedExecs;
  readonly #execs = new Map<string, LiveExec>();
  /** In the order of their ends. */
  readonly #ended = new Set<LiveExec>();
  #sweepAt = MAX_KEPT;

  constructor(containers: ContainerIndex<LiveContainer>, codes: EndedExecs) {
    this.#containers = containers;
    this.#codes = codes;
  }

  /** One that is to run, or does. */
  add(exec: LiveExec): void {
    this.#sweep();
    this.#execs.set(exec.id, exec);
    exec.container.execs.add(exec.id);
  }

  /** One that ended at `endedAtMs`. */
  addEnded(exec: LiveExec, endedAtMs: number): void {
    this.#execs.set(exec.id, exec);
    this.keepEnded(exec, endedAtMs);
  }

  has(id: string): boolean {
    return this.#execs.has(id);
  }

  /** @throws EngineError "not-found" in Docker's words. */
  find(id: string): LiveExec {
    const exec = this.#execs.get(id);
    if (exec !== undefined && !this.#isStale(exec)) return exec;
    this.#drop(id, exec);
    throw new EngineError('not-found', `No such exec instance: ${id}`);
  }

  /** Nobody will ask about it. */
  forget(exec: LiveExec): void {
    this.#ended.delete(exec);
    this.#drop(exec.id, exec);
  }

  /** It has ended: the latest thousand can be asked about for ten minutes. */
  keepEnded(exec: LiveExec, now = Date.now()): void {
    exec.endedAtMs = now;
    this.#ended.add(exec);
    for (const old of this.#ended) {
      if (this.#ended.size <= MAX_KEPT && now - old.endedAtMs < KEPT_MS) break;
      this.#ended.delete(old);
      this.#execs.delete(old.id);
      if (old.handle !== undefined) this.#codes.remove(old.handle);
    }
  }

  /** The stop of a container forgets what was only meant to run in it, its removal all. */
  #isStale({ container, state, task }: LiveExec): boolean {
    return !this.#containers.has(container) || (state === 'created' && container.task !== task);
  }

  #drop(id: string, exec: LiveExec | undefined): void {
    this.#execs.delete(id);
    exec?.container.execs.delete(id);
  }

  /** Those that nobody has started or asked about since; looked for whenever there are twice as many as the last look left. */
  #sweep(): void {
    if (this.#execs.size < this.#sweepAt) return;
    for (const [id, exec] of this.#execs)
      if (exec.state === 'created' && this.#isStale(exec)) this.#drop(id, exec);
    this.#sweepAt = Math.max(MAX_KEPT, 2 * this.#execs.size);
  }
}
