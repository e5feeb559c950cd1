import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../../src/cli/program.ts';
import type { Sink } from '../../../src/cli/terminal/sink.ts';

export interface FakeAnswer {
  status?: number;
  type?: string;
  /** Strings and bytes go out as they are, everything else as JSON. */
  body?: unknown;
  /** The connection breaks after the body. */
  cut?: boolean;
}

export interface SeenRequest {
  /** `POST /images/create?fromImage=…`, without the version. */
  line: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** An API server on a socket of its own that gives fixed answers and remembers what it was asked. */
export class FakeDaemon {
  readonly directory = mkdtempSync(join(tmpdir(), 'sampan-cli-'));
  readonly requests: SeenRequest[] = [];
  /** By `METHOD /path`, without version and query. */
  readonly answers: Record<string, FakeAnswer>;
  readonly #server: Server;

  /** `server` as the daemon names itself in every answer. */
  constructor(answers: Record<string, FakeAnswer>, options: { server?: string } = {}) {
    this.answers = answers;
    this.#server = createServer((request, response) => {
      void (async () => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of request) chunks.push(chunk as Uint8Array);
        const line = `${request.method} ${(request.url ?? '').replace(/^\/v1\.\d+/, '')}`;
        response.setHeader('Api-Version', '1.51');
        response.setHeader('Server', options.server ?? 'Docker/28.5.2 (linux)');
        if (line.endsWith(' /_ping')) return void response.end();
        this.requests.push({ line, headers: request.headers, body: Buffer.concat(chunks).toString() });
        const answer = this.answers[line.replace(/\?.*/, '')] ?? {
          status: 404,
          body: { message: 'page not found' },
        };
        const { status = 200, type = 'application/json', body, cut } = answer;
        const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
        response.writeHead(status, { 'content-type': type });
        if (cut === true) response.write(bytes ?? '', () => request.socket.destroy());
        else response.end(bytes);
      })();
    });
  }

  get host(): string {
    return `unix://${join(this.directory, 's')}`;
  }

  /** The folder that stands for `~/.docker`. */
  get config(): string {
    return join(this.directory, 'docker');
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(join(this.directory, 's'), resolve);
    });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The lines asked since the last call. */
  taken(): string[] {
    return this.requests.splice(0).map(({ line }) => line);
  }
}

export interface CliRun {
  /** What is typed or piped in; each at a time where `terminal`. */
  stdin?: string | Uint8Array;
  /** Columns of the terminal on all three streams; left out: pipes. */
  terminal?: number;
  program?: string;
  env?: Record<string, string>;
}

/** One command line of ours against `daemon`. */
export async function runCli(daemon: FakeDaemon, argv: string[], options: CliRun = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const echo: boolean[] = [];
  const { terminal, stdin = '' } = options;
  const status = await runProgram({
    program: options.program ?? 'docker',
    argv,
    env: { DOCKER_HOST: daemon.host, DOCKER_CONFIG: daemon.config, ...options.env },
    cwd: daemon.directory,
    stdin: {
      isTerminal: terminal !== undefined,
      async *chunks() {
        yield typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin;
      },
      setRaw: async () => undefined,
      setEcho: async (on) => void echo.push(on),
    },
    stdout: sink(out, terminal),
    stderr: sink(err, terminal),
  });
  return { status, out: out.join(''), err: err.join(''), echo };
}

function sink(into: string[], terminal: number | undefined): Sink {
  const decoder = new TextDecoder();
  return {
    isTerminal: terminal !== undefined,
    size: () => ({ width: terminal ?? 0, height: terminal === undefined ? 0 : 40 }),
    write: async (data) => void into.push(typeof data === 'string' ? data : decoder.decode(data)),
  };
}
