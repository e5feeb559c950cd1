import type { BuildMessage } from '../../../wire/build.ts';
import type { Sink } from '../../terminal/sink.ts';
import { BuildView, type ShownVertex, secondsBetween } from './build-view.ts';

export interface ProgressOptions {
  explain: boolean;
}

/** Shows how a build goes on. */
export interface BuildProgress {
  readonly view: BuildView;
  show(message: BuildMessage): Promise<void>;
  /** The last message has come. */
  end(): Promise<void>;
}

/** Line by line, each with its step's number: for what is no terminal. */
export class PlainProgress implements BuildProgress {
  readonly view = new BuildView();
  readonly #sink: Sink;
  readonly #explain: boolean;
  readonly #begun = new Set<string>();
  readonly #done = new Set<string>();
  #last = 0;

  constructor(sink: Sink, { explain }: ProgressOptions) {
    this.#sink = sink;
    this.#explain = explain;
  }

  async show(message: BuildMessage): Promise<void> {
    this.view.take(message);
    let text = '';
    for (const { digest } of message.vertexes ?? []) text += this.#vertex(digest);
    for (const log of message.logs ?? []) {
      const shown = this.view.vertexes.get(log.vertex);
      if (shown === undefined) continue;
      const time = secondsBetween(shown.vertex.started, log.timestamp).replace(/\.(\d)$/, '.$1');
      for (const line of this.view.lines(log))
        text += `${this.#head(shown)}#${shown.number} ${time} ${line}\n`;
    }
    for (const status of message.statuses ?? []) {
      const shown = this.view.vertexes.get(status.vertex);
      if (shown !== undefined && status.completed !== undefined)
        text += `${this.#head(shown)}#${shown.number} ${status.name ?? status.id} done\n`;
    }
    if (text !== '') await this.#sink.write(text);
  }

  async end(): Promise<void> {
    // All was said as it came.
  }

  /** Another step's turn begins with its name. */
  #head(shown: ShownVertex): string {
    if (this.#last === shown.number) return '';
    const gap = this.#last === 0 ? '' : '\n';
    const isNew = !this.#begun.has(shown.vertex.digest);
    this.#begun.add(shown.vertex.digest);
    this.#last = shown.number;
    return isNew ? `${gap}#${shown.number} ${shown.vertex.name}\n` : `${gap}#${shown.number} ...\n`;
  }

  #vertex(digest: string): string {
    const shown = this.view.vertexes.get(digest);
    if (shown === undefined || this.#done.has(digest)) return '';
    const { vertex, number } = shown;
    if (vertex.started === undefined) return '';
    let text = this.#head(shown);
    if (vertex.completed === undefined) return text;
    this.#done.add(digest);
    for (const line of this.view.rest(digest))
      text += `#${number} ${secondsBetween(vertex.started, vertex.completed)} ${line}\n`;
    if (this.#explain && vertex.explanation !== undefined) text += `#${number} ${vertex.explanation}\n`;
    if (vertex.error !== undefined)
      text += `#${number} ${vertex.error === 'context canceled' ? 'CANCELED' : `ERROR: ${vertex.error}`}\n`;
    else if (vertex.cached === true) text += `#${number} CACHED\n`;
    else text += `#${number} DONE ${secondsBetween(vertex.started, vertex.completed)}s\n`;
    return text;
  }
}
