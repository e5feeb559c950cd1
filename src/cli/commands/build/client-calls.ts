import type { BuildMessage } from '../../../wire/build.ts';
import type { Invocation } from '../../context.ts';
import { type WantedOutput, writeOutput } from './build-outputs.ts';
import type { ClientLayouts } from './client-layouts.ts';
import type { ForwardedAgents } from './forwarded-agents.ts';

/** When the daemon knows better why something failed, it says so within this. */
const DAEMON_SAYS_MS = 2_000;

export interface ClientCallOptions {
  outputs: readonly WantedOutput[];
  layouts: ClientLayouts;
  agents: ForwardedAgents;
  signal: AbortSignal;
}

/** Does what a build asks of its client while it runs. What can't be done ends the build: nobody else would answer. */
export class ClientCalls {
  readonly #invocation: Invocation;
  readonly #options: ClientCallOptions;
  readonly #failed = new AbortController();
  readonly #asked: Promise<void>[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly signal: AbortSignal;

  constructor(invocation: Invocation, options: ClientCallOptions) {
    this.#invocation = invocation;
    this.#options = options;
    this.signal = AbortSignal.any([options.signal, this.#failed.signal]);
  }

  /** False: the message is none. */
  take({ output, blob, agent }: BuildMessage): boolean {
    const { layouts } = this.#options;
    const { builds } = this.#invocation.client;
    if (output !== undefined) this.#do(this.#fetch(output));
    else if (blob !== undefined) this.#do(layouts.answer(blob, builds, this.signal));
    else if (agent !== undefined) this.#serve(agent);
    else return false;
    return true;
  }

  /** Everything is done. `hasFailed`: the daemon has said why. @throws what failed first, unless. */
  async end({ hasFailed }: { hasFailed: boolean }): Promise<void> {
    const done = await Promise.allSettled(this.#asked);
    for (const timer of this.#timers) clearTimeout(timer);
    const failure = done.find((one) => one.status === 'rejected');
    if (!hasFailed && failure !== undefined) throw failure.reason;
  }

  #do(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#timers.push(setTimeout(() => this.#failed.abort(error), DAEMON_SAYS_MS));
    });
    this.#asked.push(work);
  }

  /** One that breaks off is the matter of the RUN that uses it. */
  #serve({ id, token }: NonNullable<BuildMessage['agent']>): void {
    const { agents } = this.#options;
    const { builds } = this.#invocation.client;
    const serving = async (): Promise<void> => await agents.serve(id, await builds.agent(token, this.signal));
    serving().catch(() => undefined);
  }

  async #fetch({ id, token, type }: NonNullable<BuildMessage['output']>): Promise<void> {
    const { context, client } = this.#invocation;
    const wanted = this.#options.outputs.find(({ json }) => json.type !== 'image' && json.id === id);
    const destination = wanted?.destination ?? '-';
    await writeOutput(context, { type, destination }, await client.builds.output(token, this.signal));
  }
}
