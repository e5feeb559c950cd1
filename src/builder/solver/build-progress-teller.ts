import { messageOf } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { nowNano } from '../../sys/clock.ts';
import type { DockerfileLines } from '../build-error.ts';
import type { BuildTransfer, BuildVertex, BuildWatcher } from '../build-progress.ts';
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
  /** Transfers under way, by id: they end with the step. */
  readonly #open = new Map<string, BuildTransfer>();

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
    const { digest: vertex } = this.#vertex;
    const startedNano = this.#open.get(id)?.startedNano ?? this.#startedNano ?? timeNano;
    const transfer = { id, vertex, name, current, total, timeNano, startedNano };
    if (done) this.#end(transfer);
    else {
      this.#open.set(id, transfer);
      this.#watch({ type: 'transfer', transfer });
    }
  }

  complete(options: { cached?: boolean } = {}): void {
    this.start();
    for (const transfer of this.#open.values()) this.#end(transfer);
    this.#tell({ completedNano: nowNano(), cached: options.cached ?? false });
  }

  /** What is told already stays as it was told. */
  fail(error: unknown): void {
    if (this.#vertex.completedNano !== undefined) return;
    this.start();
    this.#tell({ completedNano: nowNano(), error: messageOf(error) });
  }

  #end(transfer: BuildTransfer): void {
    this.#open.delete(transfer.id);
    const timeNano = nowNano();
    this.#watch({ type: 'transfer', transfer: { ...transfer, timeNano, completedNano: timeNano } });
  }

  #tell(change: Partial<BuildVertex>): void {
    this.#vertex = { ...this.#vertex, ...change };
    this.#watch({ type: 'vertex', vertex: this.#vertex });
  }
}

/** An internal step: told from begin to end around `work`. It is this build's own: clients show several builds side by side. */
export async function watched<T>(
  watch: BuildWatcher,
  name: string,
  work: (teller: VertexTeller) => Promise<T>,
): Promise<T> {
  const teller = new VertexTeller(watch, {
    digest: digestOf(['internal', name, crypto.randomUUID()]),
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
