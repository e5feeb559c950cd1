import { ExitError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';

/** Asks line by line; one for all questions of a command, since a chunk of input may answer several. */
export class Prompt {
  readonly #context: CliContext;
  #input: AsyncIterator<Uint8Array> | undefined;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(context: CliContext) {
    this.#context = context;
  }

  /**
   * The answer without its line end, empty at the end of input.
   *
   * @throws ExitError without a word and with status 0, as in Docker, when the user interrupts.
   */
  async ask(question: string, options: { hidden?: boolean } = {}): Promise<string> {
    const { stdin, stdout } = this.#context;
    const hidden = options.hidden === true && stdin.isTerminal;
    if (hidden) await stdin.setEcho(false);
    const interrupted = Promise.withResolvers<undefined>();
    const interrupt = () => interrupted.resolve(undefined);
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
    try {
      await stdout.write(question);
      const line = await Promise.race([this.#line(), interrupted.promise]);
      if (line !== undefined) return line;
      await stdout.write('\n');
      throw new ExitError(0);
    } finally {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
      if (hidden) await stdin.setEcho(true);
    }
  }

  async #line(): Promise<string> {
    this.#input ??= this.#context.stdin.chunks()[Symbol.asyncIterator]();
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line.replace(/\r$/, '');
      }
      const { done, value } = await this.#input.next();
      if (done === true) {
        const last = this.#rest;
        this.#rest = '';
        return last;
      }
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
  }
}
