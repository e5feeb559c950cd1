import { messageOf } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { nowNano } from '../../sys/clock.ts';
import type { DockerfileLines } from '../build-error.ts';
import type { BuildVertex, BuildWatcher } from '../build-progress.ts';
import { digestOf } from '../plan/step-id.ts';

export interface VertexHead {
  digest: Digest;
  name: string;
  inputs: readonly Digest[];
  lines: DockerfileLines | undefined;
}

/** Tells a build's watchers of one step: begun, printed, transferred, done. */
export class VertexTeller {
  readonly #watch: BuildWatcher;
  #vertex: BuildVertex;
  #startedNano: bigint | undefined;

  constructor(watch: BuildWatcher, { digest, name, inputs, lines }: VertexHead) {
    this.#watch = watch;
    this.#vertex = { digest, name, inputs, cached: false, ...(lines === undefined ? {} : { lines }) };
  }

  /** It is known that there will be one. */
  announce(): void {
    this.#tell({});
  }

  start(): void {
    if (this.#startedNano !== undefined) return;
    this.#startedNano = nowNano();
    this.#tell({ startedNano: this.#startedNano });
  }

  explain(explanation: string): void {
    this.#vertex = { ...this.#vertex, explanation };
  }

  log(stream: 1 | 2, data: Uint8Array): void {
    this.#watch({ type: 'log', log: { vertex: this.#vertex.digest, stream, data, timeNano: nowNano() } });
  }

  transfer(name: string, current: number, { id = name, total = 0, done = false } = {}): void {
    const timeNano = nowNano();
    this.#watch({
      type: 'transfer',
      transfer: {
        id,
        vertex: this.#vertex.digest,
        name,
        current,
        total,
        timeNano,
        startedNano: this.#startedNano ?? timeNano,
        ...(done ? { completedNano: timeNano } : {}),
      },
    });
  }

  complete(options: { cached?: boolean } = {}): void {
    this.start();
    this.#tell({ completedNano: nowNano(), cached: options.cached ?? false });
  }

  fail(error: unknown): void {
    this.start();
    this.#tell({ completedNano: nowNano(), error: messageOf(error) });
  }

  #tell(change: Partial<BuildVertex>): void {
    this.#vertex = { ...this.#vertex, ...change };
    this.#watch({ type: 'vertex', vertex: this.#vertex });
  }
}

/** An internal step: told from begin to end around `work`. */
export async function watched<T>(
  watch: BuildWatcher,
  name: string,
  work: (teller: VertexTeller) => Promise<T>,
): Promise<T> {
  const teller = new VertexTeller(watch, {
    digest: digestOf(['internal', name]),
    name,
    inputs: [],
    lines: undefined,
  });
  teller.start();
  try {
    const result = await work(teller);
    teller.complete();
    return result;
  } catch (error) {
    teller.fail(error);
    throw error;
  }
}
