import type { BuildMessage } from '../../../wire/build.ts';
import { humanSize } from '../../output/human-size.ts';
import { printable } from '../../output/printable.ts';
import { STYLES, styled } from '../../output/styles.ts';
import type { Sink } from '../../terminal/sink.ts';
import { BuildView, type ShownVertex, secondsBetween } from './build-view.ts';
import type { BuildProgress, ProgressOptions } from './plain-progress.ts';

const REDRAW_MS = 100;
const TAIL_LINES = 6;

/** All steps at once, redrawn in place: what runs shows how long and its last lines. */
export class LiveProgress implements BuildProgress {
  readonly view = new BuildView();
  readonly #sink: Sink;
  readonly #explain: boolean;
  readonly #startedMs = Date.now();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;
  #drawing: Promise<void> = Promise.resolve();

  constructor(sink: Sink, { explain }: ProgressOptions) {
    this.#sink = sink;
    this.#explain = explain;
  }

  async show(message: BuildMessage): Promise<void> {
    this.view.take(message);
    for (const log of message.logs ?? []) this.view.lines(log);
    this.#timer ??= setInterval(() => this.#redraw(), REDRAW_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#redraw({ isLast: true });
    await this.#drawing;
  }

  #redraw({ isLast = false } = {}): void {
    const { width, height } = this.#sink.size();
    const room = Math.max(4, height - 2);
    const all = this.#lines(width === 0 ? 80 : width, isLast);
    const lines = isLast || all.length <= room ? all : [all[0] ?? '', ...all.slice(all.length - room + 1)];
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    const text = `${up}\x1b[J${lines.map((line) => `${line}\n`).join('')}`;
    this.#drawn = lines.length;
    this.#drawing = this.#drawing.then(() => this.#sink.write(text)).catch(() => undefined);
  }

  #lines(width: number, isLast: boolean): string[] {
    const shown = [...this.view.vertexes.values()];
    const done = shown.filter(({ vertex }) => vertex.completed !== undefined).length;
    const seconds = ((Date.now() - this.#startedMs) / 1000).toFixed(1);
    const state =
      isLast && shown.some(({ vertex }) => vertex.error !== undefined) ? 'ERROR' : isLast ? 'FINISHED' : '';
    const head = `[+] Building ${seconds}s (${done}/${shown.length})${state === '' ? '' : ` ${state}`}`;
    return [head, ...shown.flatMap((one) => this.#vertex(one, width, isLast))];
  }

  #vertex(shown: ShownVertex, width: number, isLast: boolean): string[] {
    const { vertex } = shown;
    const { started, completed, error, cached } = vertex;
    const isRunning = started !== undefined && completed === undefined;
    const word =
      error !== undefined
        ? error === 'context canceled'
          ? 'CANCELED '
          : 'ERROR '
        : cached === true
          ? 'CACHED '
          : '';
    const time = started === undefined ? '' : `${secondsBetween(started, completed ?? Date.now())}s`;
    const room = width - time.length - 1;
    const text = fit(` => ${word}${printable(vertex.name)}`, room).padEnd(room);
    const style = error !== undefined ? STYLES.red : completed !== undefined ? STYLES.blue : '';
    const lines = [styled(style, `${text} ${time}`)];
    if (this.#explain && vertex.explanation !== undefined && completed !== undefined)
      lines.push(styled(STYLES.faint, fit(`    ${vertex.explanation}`, width)));
    if (isRunning && !isLast) lines.push(...this.#details(shown, width));
    return lines;
  }

  #details({ statuses, tail }: ShownVertex, width: number): string[] {
    const transfers = [...statuses.values()]
      .filter(({ completed }) => completed === undefined)
      .slice(-TAIL_LINES)
      .map(({ id, name, current, total }) => {
        const amount =
          total === undefined || total === 0
            ? humanSize(current)
            : `${humanSize(current)} / ${humanSize(total)}`;
        return fit(
          ` => => ${name ?? id} ${name !== undefined && name !== id ? `${id} ` : ''}${amount}`,
          width,
        );
      });
    const output = tail
      .slice(-TAIL_LINES)
      .map((line) => styled(STYLES.faint, fit(` => => # ${printable(line)}`, width)));
    return [...transfers, ...output];
  }
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 3))}...`;
}
