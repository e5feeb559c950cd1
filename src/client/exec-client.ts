import { type EngineConnection, segment } from './engine-connection.ts';
import type { ExecInspect } from './model.ts';
import type { HijackedConnection } from './transport.ts';

export interface ExecCreateOptions {
  command: readonly string[];
  env?: readonly string[];
  user?: string;
  workingDir?: string;
  privileged?: boolean;
  tty?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  detachKeys?: string;
  consoleSize?: { width: number; height: number } | undefined;
}

/** Commands in running containers: `/containers/{id}/exec` and `/exec`. */
export class ExecClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  /** Resolves to the exec's ID. */
  async create(container: string, options: ExecCreateOptions): Promise<string> {
    const answer = await this.#engine.json<{ Id: string }>(
      'POST',
      `/containers/${segment('container', container)}/exec`,
      {
        json: {
          User: options.user ?? '',
          Privileged: options.privileged ?? false,
          Tty: options.tty ?? false,
          ...sizeOf(options.consoleSize),
          AttachStdin: options.stdin ?? false,
          AttachStderr: options.stderr ?? false,
          AttachStdout: options.stdout ?? false,
          DetachKeys: options.detachKeys ?? '',
          Env: options.env ?? null,
          WorkingDir: options.workingDir ?? '',
          Cmd: options.command,
        },
      },
    );
    return answer.Id;
  }

  /** Start it and leave it: resolves when it runs. */
  async startDetached(id: string, options: { tty?: boolean } = {}): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'start'), {
      json: { Detach: true, Tty: options.tty ?? false },
    });
  }

  /** Start it: a duplex of its streams, raw with TTY, else to be taken apart by `demultiplex`. */
  start(
    id: string,
    options: {
      tty?: boolean;
      consoleSize?: { width: number; height: number } | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<HijackedConnection> {
    return this.#engine.hijack('POST', this.#path(id, 'start'), {
      json: { Detach: false, Tty: options.tty ?? false, ...sizeOf(options.consoleSize) },
      signal: options.signal,
    });
  }

  inspect(id: string): Promise<ExecInspect> {
    return this.#engine.json('GET', this.#path(id, 'json'));
  }

  /** Width and height in characters. */
  async resize(id: string, size: { width: number; height: number }): Promise<void> {
    await this.#engine.call('POST', this.#path(id, 'resize'), { query: { h: size.height, w: size.width } });
  }

  #path(id: string, action: string): string {
    return `/exec/${segment('exec', id)}/${action}`;
  }
}

function sizeOf(size: { width: number; height: number } | undefined): { ConsoleSize?: number[] } {
  return size === undefined ? {} : { ConsoleSize: [size.height, size.width] };
}
