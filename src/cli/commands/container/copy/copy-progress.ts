import type { CliContext } from '../../../context.ts';
import { humanSize } from '../../../output/human-size.ts';

const REDRAW_MS = 300;
const [SAVE, RESTORE, CLEAR, HIDE, SHOW] = ['\x1b7', '\x1b8', '\x1b[2K', '\x1b[?25l', '\x1b[?25h'];

/** Counts what is copied, and, unless it is to be quiet, tells of it on stderr: on a terminal as it grows, and at the end in Docker's words. */
export class CopyProgress {
  readonly #context: CliContext;
  readonly #header: string;
  readonly #quiet: boolean;
  #bytes = 0;
  #shown = -1;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(context: CliContext, options: { header: string; quiet: boolean }) {
    this.#context = context;
    this.#header = options.header;
    this.#quiet = options.quiet;
  }

  async *count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      this.#bytes += chunk.length;
      yield chunk;
    }
  }

  /** Do `work`, and say that it is done, wherever to. A failure is the caller's to tell. */
  async around(to: string, work: () => Promise<void>): Promise<void> {
    const { stderr } = this.#context;
    const live = !this.#quiet && stderr.isTerminal;
    if (live) {
      await stderr.write(`${SAVE}${HIDE}`);
      this.#draw();
      this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    }
    try {
      await work();
    } finally {
      clearInterval(this.#timer);
      if (live) await stderr.write(`${RESTORE}${CLEAR}${SHOW}`);
    }
    if (!this.#quiet) await stderr.write(`Successfully copied ${humanSize(this.#bytes, 3)} to ${to}\n`);
  }

  #draw(): void {
    if (this.#bytes === this.#shown) return;
    this.#shown = this.#bytes;
    void this.#context.stderr
      .write(`${RESTORE}${CLEAR}${this.#header}${humanSize(this.#bytes, 3)}`)
      .catch(() => undefined);
  }
}
