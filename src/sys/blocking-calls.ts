import { EngineError } from '../errors/engine-error.ts';
import { abortable } from './abortable.ts';
import { RequestThread } from './request-thread.ts';

/** Each takes 1.5 MB; so many calls that never return are a host that needs help. */
const MAX_THREADS = 32;

/**
 * Calls that may never return, on file systems whose server is gone, say: each in a thread that does nothing else meanwhile, so that it holds up
 * nobody. (Two of them in the runtime's own pool, and no file of the daemon's is read any more.)
 */
export class BlockingCalls<Q, A> {
  readonly #program: URL;
  readonly #what: string;
  readonly #idle: RequestThread<Q, A>[] = [];
  #busy = 0;

  /** As `RequestThread`. */
  constructor(program: URL, what: string) {
    this.#program = program;
    this.#what = what;
  }

  /** On abort the call goes on for nobody. @throws what the thread throws; `signal.reason`; EngineError "unavailable" where too many don't return. */
  async ask(request: Q, { signal }: { signal: AbortSignal }): Promise<A> {
    signal.throwIfAborted();
    if (this.#busy >= MAX_THREADS)
      throw new EngineError(
        'unavailable',
        `Cannot ${this.#what}: ${MAX_THREADS} such calls have not returned`,
        {
          hint: 'Look for file systems whose server does not answer, and unmount them.',
        },
      );
    const thread = this.#idle.pop() ?? new RequestThread<Q, A>(this.#program, this.#what);
    this.#busy++;
    const answer = thread.ask(request);
    const free = (): void => {
      this.#busy--;
      this.#idle.push(thread);
    };
    answer.then(free, free);
    return await abortable(answer, signal);
  }
}
