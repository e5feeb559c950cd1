import { EngineError } from '../../errors/engine-error.ts';
import type { SourcePlace } from '../../runtime/spec/spec-input.ts';
import { BlockingCalls } from '../../sys/blocking-calls.ts';

/** What stands at a path of the host's. */
export type FoundSource = SourcePlace;

export type SourceCall =
  | { kind: 'find' | 'make' | 'empty'; path: string }
  | { kind: 'bind'; path: string; target: string }
  | { kind: 'bind-below'; base: string; subpath: string; target: string };

/** To `find`: the name of an error where nothing can be found. */
export type SourceAnswer = FoundSource | string | boolean | undefined;

interface Waiting {
  signal: AbortSignal;
}

/** A server that is slow, or starts anew, may take a while; one that is gone never answers. */
const PATIENCE_MS = 30_000;

/**
 * Looks at, makes and binds what containers mount. Such a path may lead anywhere, to a server that is gone among others, so the calls are made in threads
 * that nothing else waits for.
 *
 * Each call throws EngineError "internal" when it takes more than 30 s, `signal.reason` on abort.
 */
export class SourceThreads {
  readonly #calls: BlockingCalls<SourceCall, SourceAnswer>;
  readonly #patienceMs: number;

  constructor({ patienceMs = PATIENCE_MS } = {}) {
    this.#calls = new BlockingCalls(
      new URL('./source-worker.ts', import.meta.url),
      'reach what is to be mounted',
    );
    this.#patienceMs = patienceMs;
  }

  /** What is there, or the error's name: `ENOENT`. */
  async find(path: string, waiting: Waiting): Promise<FoundSource | string> {
    return (await this.#ask(path, { kind: 'find', path }, waiting)) as FoundSource | string;
  }

  /** A directory, with those above it. */
  async make(path: string, waiting: Waiting): Promise<void> {
    await this.#ask(path, { kind: 'make', path }, waiting);
  }

  async isEmpty(path: string, waiting: Waiting): Promise<boolean> {
    return (await this.#ask(path, { kind: 'empty', path }, waiting)) === true;
  }

  /** Bind `path` alone, without what is mounted below. */
  async bind(path: string, target: string, waiting: Waiting): Promise<void> {
    await this.#ask(path, { kind: 'bind', path, target }, waiting);
  }

  /** Bind what is at a subpath, wherever the way there leads later; its place at `target` is made. @throws as `openSubpath`. */
  async bindBelow(base: string, subpath: string, target: string, waiting: Waiting): Promise<FoundSource> {
    const call = { kind: 'bind-below', base, subpath, target } as const;
    return (await this.#ask(`${base}/${subpath}`, call, waiting)) as FoundSource;
  }

  async #ask(path: string, call: SourceCall, { signal }: Waiting): Promise<SourceAnswer> {
    return await inPatience(path, { signal, patienceMs: this.#patienceMs }, (limited) =>
      this.#calls.ask(call, { signal: limited }),
    );
  }
}

/** Have `work` aborted when its time is over. @throws EngineError "internal" that names the path. */
export async function inPatience<T>(
  path: string,
  { signal, patienceMs = PATIENCE_MS }: Waiting & { patienceMs?: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    const message = `Cannot mount "${path}": it has not answered in ${patienceMs / 1000} s`;
    const hint = 'Look whether the server of its file system is up.';
    late.abort(new EngineError('internal', message, { hint }));
  }, patienceMs);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
