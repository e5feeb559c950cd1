import { randomUUID } from 'node:crypto';
import type { BuildBackend, PostedEntry } from '../../builder/build-backend.ts';
import type { BuildRequest } from '../../builder/build-request.ts';
import type { OutputSink } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import {
  type BuildMessage,
  type BuildRequestJson,
  type LocalProofJson,
  MAX_DOCKERFILE_BYTES,
} from '../../wire/build.ts';
import { type ApiRequest, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import { buildOfJson, MAX_BUILD_JSON, parseBuildJson, parseLocalDirectory } from '../decode/build-json.ts';
import { BodyParts } from '../decode/build-parts.ts';
import { registryConfig } from '../decode/build-query.ts';
import { encodeBuildError } from '../encode/build-error.ts';
import { buildMessage } from '../encode/build-message.ts';
import { OutputGate } from '../output-gate.ts';
import type { ResponseStream } from '../response-stream.ts';
import type { Route } from '../router.ts';
import { BuildCalls } from './build-calls.ts';
import { BuildTerminals } from './build-terminals.ts';

const MAX_SECRET_BYTES = 500 << 10;
const MAX_SECRETS = 100;

interface WaitingOutput {
  archive: ReadableStream<Uint8Array>;
  fetched: PromiseWithResolvers<void>;
}

/**
 * Our own CLI's builds: everything that is needed at once comes with the request, progress goes back line by line, outputs are fetched beside it. What
 * else a build wants of its client is asked for by such lines (`BuildCalls`).
 */
export class SampanBuilds {
  readonly #builder: BuildBackend;
  readonly #outputs = new Map<string, WaitingOutput>();
  readonly #calls = new BuildCalls();
  readonly #terminals = new BuildTerminals();

  constructor(builder: BuildBackend) {
    this.#builder = builder;
  }

  routes(): Route[] {
    return [
      ...this.#calls.routes(),
      ...this.#terminals.routes(),
      {
        method: 'GET',
        pattern: '/build/local',
        handler: async (_request, response) => {
          const answer: LocalProofJson = { file: await this.#builder.localProof() };
          response.json(200, answer);
        },
      },
      {
        method: 'GET',
        pattern: '/build/outputs/{}',
        handler: (request, response) => this.#fetch(request, response),
      },
    ];
  }

  async build(request: ApiRequest, response: ApiResponse, signal: AbortSignal): Promise<void> {
    const parts = new BodyParts(request.body);
    const first = await parts.next();
    if (first?.name !== 'request') throw new EngineError('invalid', 'the build request is malformed');
    const json = parseBuildJson(await parts.read(first, MAX_BUILD_JSON));
    const { dockerfile, secrets, contexts } = await readParts(parts);
    const lines: { stream?: ResponseStream } = {};
    const write = (message: BuildMessage): void => {
      lines.stream ??= response.stream(200, 'application/json');
      lines.stream.writeJson(message).catch(() => undefined);
    };
    const session = await this.#builder.receive(
      {
        contexts,
        secrets,
        credentials: registryConfig(request),
        outputs: this.#sinks(json, { write, signal }),
        calls: {
          ...this.#calls.of({ agents: json.agents ?? [], write, signal }),
          terminal: json.debug === true ? this.#terminals.of({ write, signal }) : undefined,
        },
      },
      { signal },
    );
    try {
      const gate = new OutputGate(() => lines.stream?.waitingBytes ?? 0);
      await this.#run(() => buildOfJson(json, session, dockerfile), { write, gate, signal });
    } finally {
      await session.close();
    }
    await lines.stream?.end();
  }

  async #run(
    request: () => BuildRequest,
    {
      write,
      gate,
      signal,
    }: { write: (message: BuildMessage) => void; gate: OutputGate; signal: AbortSignal },
  ): Promise<void> {
    try {
      const { imageId, metadata } = await this.#builder.build(request(), {
        signal,
        watch: (event) => {
          const passed = gate.pass(event);
          const message = passed === undefined ? undefined : buildMessage(passed);
          if (message !== undefined) write(message);
        },
      });
      write({ result: { ...(imageId === undefined ? {} : { imageId }), metadata } });
    } catch (error) {
      if (signal.aborted && !isCanceled(error)) return;
      write({ error: encodeBuildError(error) });
    }
  }

  #sinks(
    json: BuildRequestJson,
    { write, signal }: { write: (message: BuildMessage) => void; signal: AbortSignal },
  ): Map<string, OutputSink> {
    const sinks = new Map<string, OutputSink>();
    for (const output of json.outputs)
      if (output.type !== 'image') {
        const { id, type } = output;
        sinks.set(id, {
          write: async (archive) => {
            signal.throwIfAborted();
            const token = randomUUID();
            const fetched = Promise.withResolvers<void>();
            const abort = (): void => fetched.reject(signal.reason);
            signal.addEventListener('abort', abort, { once: true });
            this.#outputs.set(token, { archive, fetched });
            write({ output: { id, token, type } });
            try {
              await fetched.promise;
            } finally {
              signal.removeEventListener('abort', abort);
              if (this.#outputs.delete(token)) await archive.cancel().catch(() => undefined);
            }
          },
        });
      }
    return sinks;
  }

  async #fetch(request: ApiRequest, response: ApiResponse): Promise<void> {
    const token = pathParam(request);
    const waiting = this.#outputs.get(token);
    if (waiting === undefined) throw new EngineError('not-found', `No such build output: ${token}`);
    this.#outputs.delete(token);
    try {
      const stream = response.stream(200, 'application/x-tar');
      for await (const chunk of waiting.archive) await stream.write(chunk);
      await stream.end();
      waiting.fetched.resolve();
    } catch (error) {
      waiting.fetched.reject(error);
      throw error;
    }
  }
}

/** The Dockerfile first, then secrets, then the contexts, which are read as the builder takes them in, one after the other. */
async function readParts(parts: BodyParts): Promise<{
  dockerfile: Uint8Array | undefined;
  secrets: Map<string, Uint8Array>;
  contexts: AsyncIterable<PostedEntry>;
}> {
  const secrets = new Map<string, Uint8Array>();
  let part = await parts.next();
  let dockerfile: Uint8Array | undefined;
  if (part?.name === 'dockerfile') {
    dockerfile = await parts.read(part, MAX_DOCKERFILE_BYTES);
    part = await parts.next();
  }
  for (; part?.name.startsWith('secret:') === true; part = await parts.next()) {
    if (secrets.size >= MAX_SECRETS) throw new EngineError('invalid', `more than ${MAX_SECRETS} secrets`);
    secrets.set(part.name.slice('secret:'.length), await parts.read(part, MAX_SECRET_BYTES));
  }
  const first = part;
  async function* contexts(): AsyncGenerator<PostedEntry> {
    for (let one = first; one !== undefined; one = await parts.next()) {
      const [kind, name] = [
        one.name.slice(0, one.name.indexOf(':')),
        one.name.slice(one.name.indexOf(':') + 1),
      ];
      if (kind === 'directory') yield [name, parseLocalDirectory(await parts.read(one, MAX_BUILD_JSON))];
      else if (kind === 'context') yield [name, one.data];
      else throw new EngineError('invalid', 'the build request is malformed');
    }
  }
  return { dockerfile, secrets, contexts: contexts() };
}

function isCanceled(error: unknown): boolean {
  return error instanceof EngineError && error.message === 'build canceled';
}
