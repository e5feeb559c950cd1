import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import { Attachment } from './attachment.ts';
import { environmentList } from './create-body.ts';

export interface ExecOptions {
  env?: Readonly<Record<string, string>>;
  user?: string;
  workingDirectory?: string;
  privileged?: boolean;
  /** A terminal: one stream, `\r\n` at the ends of lines. */
  tty?: boolean;
  signal?: AbortSignal;
}

export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A command that runs in a container: its streams, and its end. */
export class Exec extends Attachment {
  readonly id: string;
  readonly #client: EngineClient;

  private constructor(client: EngineClient, id: string, streams: ConstructorParameters<typeof Attachment>) {
    super(...streams);
    this.id = id;
    this.#client = client;
  }

  static async start(
    client: EngineClient,
    container: string,
    { command, stdin, ...options }: ExecOptions & { command: readonly string[]; stdin: boolean },
  ): Promise<Exec> {
    const tty = options.tty ?? false;
    const id = await client.execs.create(container, {
      command,
      stdin,
      stdout: true,
      stderr: true,
      tty,
      env: environmentList(options.env),
      user: options.user ?? '',
      workingDir: options.workingDirectory ?? '',
      privileged: options.privileged ?? false,
    });
    const connection = await client.execs.start(id, { tty, signal: options.signal });
    return new Exec(client, id, [connection, { tty }]);
  }

  /** Its exit code once its output has been read to the end; 137 for a container that was killed under it. */
  async exitCode(options: { signal?: AbortSignal } = {}): Promise<number> {
    // The streams may end a moment before the daemon has seen the exit.
    for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 250)) {
      const { Running, ExitCode } = await this.#client.execs.inspect(this.id);
      if (!Running && typeof ExitCode === 'number') return ExitCode;
      await sleep(pauseMs, undefined, options);
    }
  }
}
