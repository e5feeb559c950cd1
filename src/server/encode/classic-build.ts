import { createHash } from 'node:crypto';
import type { BuildEvent, BuildPlanLines, BuildVertex } from '../../builder/build-progress.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import type { ProgressMessage } from '../../wire/image.ts';
import { encodeProgress } from './image.ts';

const FROM = /^\s*from\b/i;

type Line = BuildPlanLines['lines'][number];

/** What is in the cache is found there sooner. */
const ANNOUNCE_MS = 100;

interface StepState {
  vertex: BuildVertex | undefined;
  /** Until it is told that the step runs. */
  announcing: NodeJS.Timeout | undefined;
  /** What it printed before its turn came. */
  waiting: ProgressMessage[];
}

/**
 * A build as the classic builder tells it: step after step in the Dockerfile's order, whatever runs at the same time. What a later step prints
 * waits for its turn.
 */
export class ClassicProgress {
  readonly #write: (message: ProgressMessage) => void;
  readonly #labels: ReadonlyMap<string, string>;
  readonly #buildArgs: readonly string[];
  readonly #steps = new Map<Digest, StepState>();
  #lines: readonly Line[] = [];
  #unused: readonly string[] = [];
  #firstFrom = 0;
  #current = -1;
  /** Stands for the image as of the step before. */
  #id = '';

  /** `buildArgs`: names of those that were given, whatever their values. */
  constructor(
    write: (message: ProgressMessage) => void,
    { labels, buildArgs }: { labels: ReadonlyMap<string, string>; buildArgs: readonly string[] },
  ) {
    this.#write = write;
    this.#labels = labels;
    this.#buildArgs = buildArgs;
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'dockerfile':
        break;
      case 'plan':
        this.#begin(event);
        break;
      case 'vertex':
        this.#vertex(event.vertex);
        break;
      case 'log':
        this.#log(event.log.vertex, event.log.stream, event.log.data);
        break;
      case 'transfer':
        this.#transfer(event.transfer);
        break;
      case 'warning':
        break;
    }
  }

  /** The build has failed: the step that did gets its turn. */
  failed(): void {
    this.#settle();
    const at = this.#lines.findIndex(
      ({ vertex }) => vertex !== undefined && this.#steps.get(vertex)?.vertex?.error !== undefined,
    );
    if (at <= this.#current) return;
    this.#current = at;
    this.#tellStep();
  }

  /** `ids` in full. */
  done(imageId: Digest, names: readonly string[]): void {
    this.#settle();
    if (this.#labels.size > 0) {
      const text = [...this.#labels].map(([key, value]) => `${key}=${value}`).join(' ');
      this.#header(this.#lines.length, `LABEL ${text}`);
      this.#write({ stream: ` ---> ${hexOf(imageId).slice(0, 12)}\n` });
    }
    this.#write({ aux: { ID: imageId } });
    if (this.#unused.length > 0)
      this.#write({
        stream: `[Warning] One or more build-args [${this.#unused.join(' ')}] were not consumed\n`,
      });
    this.#write({ stream: `Successfully built ${hexOf(imageId).slice(0, 12)}\n` });
    for (const name of names) this.#write({ stream: `Successfully tagged ${name}\n` });
  }

  #begin({ lines, declaredArgs }: BuildPlanLines): void {
    this.#lines = lines;
    this.#firstFrom = lines.findIndex(({ code }) => FROM.test(code));
    const known = new Set(declaredArgs);
    this.#unused = this.#buildArgs.filter((name) => !known.has(name)).sort();
    this.#advance();
  }

  #stateOf(vertex: Digest): StepState {
    const known = this.#steps.get(vertex) ?? { vertex: undefined, announcing: undefined, waiting: [] };
    this.#steps.set(vertex, known);
    return known;
  }

  #vertex(vertex: BuildVertex): void {
    const state = this.#stateOf(vertex.digest);
    const wasStarted = state.vertex?.startedNano !== undefined;
    state.vertex = vertex;
    const isRun = /^\[[^\]]*\] RUN\b/.test(vertex.name);
    if (isRun && !wasStarted && vertex.startedNano !== undefined && vertex.completedNano === undefined)
      state.announcing = setTimeout(() => this.#announce(vertex.digest), ANNOUNCE_MS);
    if (vertex.completedNano !== undefined && vertex.cached) this.#unannounced(state);
    else if (vertex.completedNano !== undefined) this.#announce(vertex.digest);
    if (this.#lines[this.#current]?.vertex === vertex.digest && isDone(vertex)) {
      this.#tellEnd(vertex);
      this.#advance();
    }
  }

  #settle(): void {
    for (const state of this.#steps.values()) this.#unannounced(state);
  }

  /** That it runs: once it is known not to be in the cache. */
  #announce(vertex: Digest): void {
    if (this.#unannounced(this.#stateOf(vertex)))
      this.#tell(vertex, { stream: ` ---> Running in ${shortOf(vertex)}\n` });
  }

  /** @returns whether it was yet to be told. */
  #unannounced(state: StepState): boolean {
    const { announcing } = state;
    clearTimeout(announcing);
    state.announcing = undefined;
    return announcing !== undefined;
  }

  #log(vertex: Digest, stream: 1 | 2, data: Uint8Array): void {
    this.#announce(vertex);
    const text = new TextDecoder().decode(data);
    this.#tell(vertex, { stream: stream === 1 ? text : `\u001b[91m${text}\u001b[0m` });
  }

  #tell(vertex: Digest, message: ProgressMessage): void {
    if (this.#lines[this.#current]?.vertex === vertex) this.#write(message);
    else this.#stateOf(vertex).waiting.push(message);
  }

  /** Layers of base images as a pull tells them. */
  #transfer({ id, name, current, total }: Extract<BuildEvent, { type: 'transfer' }>['transfer']): void {
    if (!/^[0-9a-f]{12}$/.test(id)) return;
    this.#write(encodeProgress({ id, status: name, current, ...(total > 0 ? { total } : {}) }));
  }

  /** On to the first step that isn't done. */
  #advance(): void {
    while (this.#current + 1 < this.#lines.length) {
      this.#current++;
      this.#tellStep();
      const { vertex, code } = this.#lines[this.#current] ?? {};
      if (vertex === undefined) {
        // An ARG above the stages makes nothing.
        if (this.#current < this.#firstFrom) continue;
        this.#id = createHash('sha256').update(`${this.#id}\n${code}`).digest('hex');
        this.#write({ stream: ` ---> ${this.#id.slice(0, 12)}\n` });
        continue;
      }
      const now = this.#steps.get(vertex)?.vertex;
      if (now === undefined || !isDone(now)) return;
      this.#tellEnd(now);
    }
    this.#current = this.#lines.length;
  }

  #tellStep(): void {
    const line = this.#lines[this.#current];
    if (line === undefined) return;
    this.#header(this.#current, line.code);
    if (line.vertex === undefined) return;
    for (const message of this.#stateOf(line.vertex).waiting.splice(0)) this.#write(message);
  }

  #header(index: number, code: string): void {
    const total = this.#lines.length + (this.#labels.size > 0 ? 1 : 0);
    this.#write({ stream: `Step ${index + 1}/${total} : ${code}` });
    this.#write({ stream: '\n' });
  }

  #tellEnd(vertex: BuildVertex): void {
    const isRun = /^\[[^\]]*\] RUN\b/.test(vertex.name);
    if (vertex.error !== undefined) return;
    const isFrom = /^(?:\[[^\]]*\] )?FROM\b/.test(vertex.name);
    if (vertex.cached && !isFrom) this.#write({ stream: ' ---> Using cache\n' });
    else if (isRun)
      this.#write({ stream: ` ---> Removed intermediate container ${shortOf(vertex.digest)}\n` });
    this.#id = hexOf(vertex.digest);
    this.#write({ stream: ` ---> ${this.#id.slice(0, 12)}\n` });
  }
}

function isDone({ completedNano, error }: BuildVertex): boolean {
  return completedNano !== undefined && error === undefined;
}

function shortOf(digest: Digest): string {
  return hexOf(digest).slice(-12);
}
