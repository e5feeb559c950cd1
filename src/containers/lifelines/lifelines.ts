import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { VolumeBackend } from '../../volumes/volume-backend.ts';
import type { ContainerBackend } from '../container-backend.ts';
import type { LifelineBackend } from './lifeline-backend.ts';

/** How long a client may take to come back after the daemon was away. */
const GRACE_MS = 10_000;
/** Pauses between the attempts at what could not be removed; the daemon's next start is the last one. */
const RETRY_MS = [200, 1000, 5000, 30_000];

export interface LifelineOptions {
  /** Of the annotation, or label, that names a lifeline. */
  key: string;
  containers: Pick<ContainerBackend, 'list' | 'remove'>;
  volumes: Pick<VolumeBackend, 'list' | 'remove'>;
  logger: Logger;
  graceMs?: number;
  retryMs?: readonly number[];
}

interface Lifeline {
  /** Connections that hold it. */
  holders: number;
  /** Creations under way, which a removal waits for. */
  making: Set<Promise<unknown>>;
}

/**
 * Lifelines of one daemon. What hangs on them is in the containers' and volumes' own records, so nothing is forgotten when the daemon
 * dies: at its next start, what isn't held again within the grace is removed.
 */
export class Lifelines implements LifelineBackend {
  readonly #options: LifelineOptions;
  readonly #lines = new Map<string, Lifeline>();
  readonly #closing = new AbortController();
  readonly #removals = new Set<Promise<void>>();

  constructor(options: LifelineOptions) {
    this.#options = options;
  }

  hold(id: string, signal: AbortSignal): void {
    if (signal.aborted) return;
    const line = this.#lines.get(id) ?? { holders: 0, making: new Set() };
    this.#lines.set(id, line);
    line.holders++;
    signal.addEventListener('abort', () => this.#release(id, line), { once: true });
  }

  async guard<T>(id: string | undefined, make: () => Promise<T>): Promise<T> {
    if (id === undefined) return await make();
    const line = this.#lines.get(id);
    if (line === undefined)
      throw new EngineError('conflict', `Nobody holds lifeline ${JSON.stringify(id)}`, {
        hint: 'POST /lifelines/{id} holds it for as long as its connection lasts.',
      });
    const made = make();
    const settled = made.then(
      () => undefined,
      () => undefined,
    );
    line.making.add(settled);
    void settled.then(() => line.making.delete(settled));
    return await made;
  }

  /** Look for what an earlier life of the daemon left. Resolves at once; what is not held in time is removed behind it. */
  async recover(): Promise<void> {
    const ids = new Set([...(await this.#containers()), ...(await this.#volumes())].map(({ line }) => line));
    if (ids.size === 0) return;
    this.#behind(async () => {
      await sleep(this.#options.graceMs ?? GRACE_MS, undefined, { signal: this.#closing.signal, ref: false });
      for (const id of ids) if (!this.#lines.has(id)) await this.#remove(id);
    });
  }

  /** Nothing is removed any more: connections that are lost from now on are lost because the daemon ends. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#removals);
  }

  #release(id: string, line: Lifeline): void {
    line.holders--;
    if (line.holders > 0 || this.#closing.signal.aborted) return;
    this.#lines.delete(id);
    this.#behind(async () => {
      await Promise.all(line.making);
      await this.#remove(id);
    });
  }

  #behind(work: () => Promise<void>): void {
    const removal = work().catch((error: unknown) => {
      if (!this.#closing.signal.aborted)
        this.#options.logger.error('Cannot remove what hung on a lifeline', { error: messageOf(error) });
    });
    this.#removals.add(removal);
    void removal.then(() => this.#removals.delete(removal));
  }

  /** Containers first, since they hold the volumes. */
  async #remove(id: string): Promise<void> {
    const { containers, volumes, retryMs = RETRY_MS } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 0; ; attempt++) {
      const failures = [
        ...(await removeEach(await this.#containers(id), (name) =>
          containers.remove(name, { force: true, volumes: true }),
        )),
        ...(await removeEach(await this.#volumes(id), (name) => volumes.remove(name, { force: true }))),
      ];
      const pause = retryMs[attempt];
      if (failures.length === 0 || signal.aborted) return;
      if (pause === undefined) throw failures[0];
      await sleep(pause, undefined, { signal, ref: false });
    }
  }

  async #containers(id?: string): Promise<{ name: string; line: string }[]> {
    const all = await this.#options.containers.list({
      all: true,
      limit: undefined,
      size: false,
      filters: new Map(),
    });
    return hangingOn(
      id,
      all.map((one) => ({ name: one.id, line: one.host.annotations[this.#options.key] })),
    );
  }

  async #volumes(id?: string): Promise<{ name: string; line: string }[]> {
    const all = await this.#options.volumes.list();
    return hangingOn(
      id,
      all.map(({ name, labels }) => ({ name, line: labels?.[this.#options.key] })),
    );
  }
}

function hangingOn(
  id: string | undefined,
  all: { name: string; line: string | undefined }[],
): { name: string; line: string }[] {
  return all.flatMap(({ name, line }) =>
    line === undefined || (id !== undefined && line !== id) ? [] : [{ name, line }],
  );
}

/** The failures. What is gone already, or on its way, is none. */
async function removeEach(
  items: { name: string }[],
  remove: (name: string) => Promise<void>,
): Promise<unknown[]> {
  const results = await Promise.allSettled(items.map(({ name }) => remove(name)));
  return results.flatMap((result) =>
    result.status === 'rejected' && kindOf(result.reason) !== 'not-found' ? [result.reason] : [],
  );
}
