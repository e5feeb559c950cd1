import { demultiplexJoined } from '../../../client/demultiplex.ts';
import type { HijackedConnection } from '../../../client/transport.ts';
import { errnoCodeOf, messageOf } from '../../../errors/engine-error.ts';
import type { CliContext } from '../../context.ts';

export interface SessionOptions {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/** How the streams ended: the container's output is over, or the user typed the detach keys. */
export interface SessionEnd {
  /** True when the daemon ended a terminal session while input was still open. */
  outputEnded: boolean;
}

/** Carries a container's streams to and from the terminal until its output ends. */
export class StreamSession {
  readonly #context: CliContext;
  readonly #connection: HijackedConnection;
  readonly #options: SessionOptions;
  #raw = false;

  constructor(context: CliContext, connection: HijackedConnection, options: SessionOptions) {
    this.#context = context;
    this.#connection = connection;
    this.#options = options;
  }

  /** Resolves when the output has ended, or, with no output attached, when the input or the container has. */
  async run(): Promise<SessionEnd> {
    const { stdin, stdout, stderr, tty } = this.#options;
    try {
      if (stdin && tty) await this.setRaw(true);
      const input = stdin ? this.#copyInput() : undefined;
      input?.catch(() => undefined);
      if (stdout || stderr) await this.#copyOutput();
      else await Promise.race([input, this.#copyOutput()]);
      return { outputEnded: true };
    } finally {
      await this.setRaw(false);
      this.#connection.close();
    }
  }

  async setRaw(raw: boolean): Promise<void> {
    if (this.#raw === raw) return;
    this.#raw = raw;
    await this.#context.stdin.setRaw(raw);
  }

  async #copyOutput(): Promise<void> {
    const { stdout, stderr } = this.#context;
    if (this.#options.tty) {
      for await (const chunk of this.#connection.input) await stdout.write(chunk);
      return;
    }
    for await (const { stream, data } of demultiplexJoined(this.#connection.input))
      await (stream === 'stdout' || stream === 'stdin' ? stdout : stderr).write(data);
  }

  async #copyInput(): Promise<void> {
    try {
      for await (const chunk of this.#context.stdin.chunks()) await this.#connection.write(chunk);
    } catch (error) {
      // The container's side has closed its input: what is left of ours has no reader.
      if (errnoCodeOf(error) !== 'EPIPE' && this.#context.globals.debug)
        await this.#context.stderr.write(`error copying input: ${messageOf(error)}\n`);
      return;
    }
    await this.#connection.closeWrite();
  }
}
