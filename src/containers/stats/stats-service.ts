import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { RequestThread } from '../../sys/request-thread.ts';
import type { LiveContainer } from '../live-container.ts';
import { usesOwnNetwork } from '../networking/container-networks.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import type { ContainerSample, ContainerStats } from './container-stats.ts';
import type { SampleTarget } from './read-sample.ts';

const INTERVAL_MS = 1000;

export type TakeSamples = (targets: readonly SampleTarget[]) => Promise<(ContainerSample | undefined)[]>;

interface Listener {
  container: LiveContainer;
  /** The newest only: who reads slowly gets fewer, not later ones. */
  newest: ContainerStats | undefined;
  previous: ContainerSample | undefined;
  wake: () => void;
}

/** What containers use. One round a second serves all who listen, in a thread of its own; nobody listens, nothing is read. */
export class StatsService {
  readonly #index: ContainerIndex<LiveContainer>;
  readonly #take: TakeSamples;
  readonly #logger: Logger;
  readonly #listeners = new Set<Listener>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #sampling = false;

  /** `take` is given by tests. */
  constructor(index: ContainerIndex<LiveContainer>, logger: Logger, take: TakeSamples = sampleThread()) {
    this.#index = index;
    this.#logger = logger;
    this.#take = take;
  }

  /** One look: with the one before it (a second earlier) unless `oneShot`. @throws EngineError "not-found". */
  async once(nameOrId: string, options: { oneShot: boolean; signal: AbortSignal }): Promise<ContainerStats> {
    const container = this.#index.resolve(nameOrId);
    const first = await this.#sample(container);
    if (options.oneShot || first === undefined) return statsOf(container, first, undefined);
    await sleep(INTERVAL_MS, undefined, { signal: options.signal });
    return statsOf(container, await this.#sample(container), first);
  }

  /** One look a second, as long as there is the container; one that does not run uses nothing. @throws EngineError "not-found". */
  follow(nameOrId: string, { signal }: { signal: AbortSignal }): AsyncIterable<ContainerStats> {
    return this.#follow(this.#index.resolve(nameOrId), signal);
  }

  async *#follow(container: LiveContainer, signal: AbortSignal): AsyncGenerator<ContainerStats> {
    const listener: Listener = { container, newest: undefined, previous: undefined, wake: () => undefined };
    let removed = false;
    const stop = new AbortController();
    const gone = (): void => {
      removed = true;
      listener.wake();
    };
    void container.removed.wait(stop.signal).then(gone, () => undefined);
    const abort = (): void => listener.wake();
    signal.addEventListener('abort', abort, { once: true });
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => void this.#round(), INTERVAL_MS);
    try {
      push(listener, await this.#sample(container));
      while (!signal.aborted && !removed && !container.removing) {
        const { newest } = listener;
        listener.newest = undefined;
        if (newest !== undefined) yield newest;
        else
          await new Promise<void>((resolve) => {
            listener.wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', abort);
      stop.abort();
      this.#leave(listener);
    }
  }

  #leave(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One that takes longer than its second is not overtaken by the next. */
  async #round(): Promise<void> {
    if (this.#sampling) return;
    this.#sampling = true;
    try {
      const containers = [...new Set([...this.#listeners].map(({ container }) => container))];
      const running = containers.filter(({ task }) => task !== undefined);
      const samples = running.length === 0 ? [] : await this.#take(running.flatMap(targetsOf));
      const found = new Map(running.map((container, at) => [container, samples[at]]));
      for (const listener of this.#listeners)
        if (containers.includes(listener.container)) push(listener, found.get(listener.container));
    } catch (error) {
      this.#logger.error('Cannot read what containers use', { error: messageOf(error) });
    } finally {
      this.#sampling = false;
    }
  }

  async #sample(container: LiveContainer): Promise<ContainerSample | undefined> {
    const targets = targetsOf(container);
    return targets.length === 0 ? undefined : (await this.#take(targets))[0];
  }
}

function push(listener: Listener, sample: ContainerSample | undefined): void {
  listener.newest = statsOf(listener.container, sample, listener.previous);
  listener.previous = sample;
  listener.wake();
}

function statsOf(
  { id, name }: LiveContainer,
  current: ContainerSample | undefined,
  previous: ContainerSample | undefined,
): ContainerStats {
  return { id, name, current, previous };
}

function targetsOf({ id, task, record }: LiveContainer): SampleTarget[] {
  if (task === undefined) return [];
  const { pid, pidStartTicks } = task.handle;
  return [{ id, pid, startTicks: pidStartTicks, network: usesOwnNetwork(record.host.networkMode) }];
}

function sampleThread(): TakeSamples {
  const thread = new RequestThread<readonly SampleTarget[], (ContainerSample | undefined)[]>(
    new URL('./sample-worker.ts', import.meta.url),
    'read what containers use',
  );
  return (targets) => thread.ask(targets);
}
