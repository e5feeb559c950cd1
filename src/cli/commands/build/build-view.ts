import type {
  BuildLogJson,
  BuildMessage,
  BuildStatusJson,
  BuildVertexJson,
  BuildWarningJson,
} from '../../../wire/build.ts';

export interface ShownVertex {
  vertex: BuildVertexJson;
  /** From 1, in the order in which they were first heard of. */
  number: number;
  statuses: Map<string, BuildStatusJson>;
  /** Last lines of output. */
  tail: string[];
}

const TAIL_LINES = 200;

/** What is known of a build as its messages come. */
export class BuildView {
  readonly vertexes = new Map<string, ShownVertex>();
  readonly warnings: BuildWarningJson[] = [];
  readonly #decoders = new Map<string, { decoder: TextDecoder; rest: string }>();

  /** Takes a message in. */
  take(message: BuildMessage): void {
    for (const vertex of message.vertexes ?? []) this.#vertex(vertex);
    for (const status of message.statuses ?? [])
      this.vertexes.get(status.vertex)?.statuses.set(status.id, status);
    this.warnings.push(...(message.warnings ?? []));
  }

  /** Whole lines of an output message; what has no end yet is kept. */
  lines(log: BuildLogJson): string[] {
    const key = `${log.vertex} ${log.stream}`;
    const state = this.#decoders.get(key) ?? { decoder: new TextDecoder(), rest: '' };
    this.#decoders.set(key, state);
    const parts = (
      state.rest + state.decoder.decode(Buffer.from(log.data, 'base64'), { stream: true })
    ).split('\n');
    state.rest = parts.pop() ?? '';
    return this.#keep(log.vertex, parts);
  }

  /** What a vertex printed without an end of line. */
  rest(vertex: string): string[] {
    const left = [1, 2].flatMap((stream) => {
      const state = this.#decoders.get(`${vertex} ${stream}`);
      if (state === undefined || state.rest === '') return [];
      const text = state.rest;
      state.rest = '';
      return [text];
    });
    return this.#keep(vertex, left);
  }

  #keep(vertex: string, lines: string[]): string[] {
    const shown = lines.map((line) => line.replace(/\r$/, ''));
    const tail = this.vertexes.get(vertex)?.tail;
    tail?.push(...shown);
    if (tail !== undefined && tail.length > TAIL_LINES) tail.splice(0, tail.length - TAIL_LINES);
    return shown;
  }

  #vertex(vertex: BuildVertexJson): void {
    const known = this.vertexes.get(vertex.digest);
    if (known !== undefined) known.vertex = vertex;
    else
      this.vertexes.set(vertex.digest, {
        vertex,
        number: this.vertexes.size + 1,
        statuses: new Map(),
        tail: [],
      });
  }
}

/** Seconds between two times, as `12.3`. */
export function secondsBetween(from: string | undefined, to: string | number): string {
  const end = typeof to === 'number' ? to : Date.parse(to);
  return Math.max(0, (end - Date.parse(from ?? '')) / 1000 || 0).toFixed(1);
}
