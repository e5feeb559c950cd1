import { randomUUID } from 'node:crypto';
import type { OpenTerminal } from '../../builder/client-terminal.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { abortable } from '../../sys/abortable.ts';
import { type ApiRequest, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import type { Attachment } from '../attachment.ts';
import { terminalSize } from '../decode/terminal-size.ts';
import { encodeBuildError } from '../encode/build-error.ts';
import type { Route } from '../router.ts';
import type { AskingBuild } from './build-calls.ts';

type Size = ReturnType<typeof terminalSize>;

interface Terminal {
  opened: PromiseWithResolvers<Attachment>;
  isOpen: boolean;
  size: Size | undefined;
  apply: (size: Size) => void;
}

/** Terminals of clients that look at a step that has failed. */
export class BuildTerminals {
  readonly #terminals = new Map<string, Terminal>();

  routes(): Route[] {
    return [
      {
        method: 'POST',
        pattern: '/build/terminals/{}',
        handler: (request, response) => this.#open(request, response),
      },
      {
        method: 'POST',
        pattern: '/build/terminals/{}/resize',
        handler: async (request, response) => {
          const terminal = this.#find(request);
          terminal.size = terminalSize(request);
          terminal.apply(terminal.size);
          response.empty(200);
        },
      },
    ];
  }

  /** Asks by a line of the build's progress. */
  of({ write, signal: ended }: Omit<AskingBuild, 'agents'>): OpenTerminal {
    return async ({ error, shell }, { signal }) => {
      const token = randomUUID();
      const opened = Promise.withResolvers<Attachment>();
      const terminal: Terminal = { opened, isOpen: false, size: undefined, apply: () => undefined };
      this.#terminals.set(token, terminal);
      try {
        write({ terminal: { token, error: encodeBuildError(error), shell: [...shell] } });
        const client = await abortable(opened.promise, AbortSignal.any([signal, ended]));
        return {
          stdin: client.stdin,
          signal: client.signal,
          write: (stream, data) => client.write(stream, data),
          resized: (apply) => {
            terminal.apply = apply;
            if (terminal.size !== undefined) apply(terminal.size);
          },
          finish: () => {
            this.#terminals.delete(token);
            client.finish();
          },
        };
      } catch (reason) {
        this.#terminals.delete(token);
        throw reason;
      }
    };
  }

  /** Each is opened once. */
  async #open(request: ApiRequest, response: ApiResponse): Promise<void> {
    const terminal = this.#find(request);
    if (terminal.isOpen) throw new EngineError('conflict', 'The terminal of this build is open already');
    terminal.isOpen = true;
    const { version, body, signal } = request;
    terminal.opened.resolve(response.hijack({ tty: true, wantsStdin: true, version, body, signal }));
  }

  /** @throws EngineError "not-found". */
  #find(request: ApiRequest): Terminal {
    const token = pathParam(request);
    const terminal = this.#terminals.get(token);
    if (terminal === undefined) throw new EngineError('not-found', `No such terminal of a build: ${token}`);
    return terminal;
  }
}
