import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { ClientBlobs } from '../../builder/client-blobs.ts';
import type { PostedCalls } from '../../builder/posted-calls.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { abortable } from '../../sys/abortable.ts';
import type { BuildMessage } from '../../wire/build.ts';
import { type ApiRequest, pathParam } from '../api-request.ts';
import type { ApiResponse } from '../api-response.ts';
import type { Route } from '../router.ts';

/** What a build waits for its client to do. */
type Call =
  | {
      kind: 'give';
      digest: Digest;
      body: PromiseWithResolvers<AsyncIterable<Uint8Array>>;
      /** The build has done with the body. */
      read: PromiseWithResolvers<void>;
    }
  | { kind: 'take'; data: () => AsyncIterable<Uint8Array>; taken: PromiseWithResolvers<void> }
  | { kind: 'connect'; connected: PromiseWithResolvers<Duplex> };

/** A client that stops sending holds nobody up beyond the signal. */
async function* until(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await abortable(pieces.next(), signal);
    if (done === true) return;
    yield value;
  }
}

export interface AskingBuild {
  /** Ids of the SSH agents that the client forwards. */
  agents: readonly string[];
  write: (message: BuildMessage) => void;
  signal: AbortSignal;
}

/** What builds ask of the clients that have posted them: told by a line of progress, answered by a request that bears its token. */
export class BuildCalls {
  readonly #waiting = new Map<string, Call>();

  routes(): Route[] {
    return [
      {
        method: 'PUT',
        pattern: '/build/blobs/{}',
        handler: (request, response) => this.#give(request, response),
      },
      {
        method: 'GET',
        pattern: '/build/blobs/{}',
        handler: (request, response) => this.#take(request, response),
      },
      {
        method: 'DELETE',
        pattern: '/build/blobs/{}',
        handler: (request, response) => this.#decline(request, response),
      },
      {
        method: 'POST',
        pattern: '/build/agents/{}',
        handler: (request, response) => this.#connect(request, response),
      },
    ];
  }

  of(build: AskingBuild): Omit<PostedCalls, 'terminal'> {
    return {
      blobs: (store) => this.#blobs(store, build),
      agents: new Set(build.agents),
      connectAgent: async (id, { signal }) => {
        const connected = Promise.withResolvers<Duplex>();
        const both = AbortSignal.any([signal, build.signal]);
        return await this.#ask({ kind: 'connect', connected }, async (token) => {
          build.write({ agent: { token, id } });
          return await abortable(connected.promise, both);
        });
      },
    };
  }

  #blobs(store: string, build: AskingBuild): ClientBlobs {
    return {
      read: (digest, { signal }) =>
        this.#read(store, digest, { ...build, signal: AbortSignal.any([signal, build.signal]) }),
      write: async (blob, data, { signal }) =>
        await this.#write(
          store,
          { blob, data },
          { ...build, signal: AbortSignal.any([signal, build.signal]) },
        ),
    };
  }

  async *#read(store: string, digest: Digest, { write, signal }: AskingBuild): AsyncGenerator<Uint8Array> {
    const body = Promise.withResolvers<AsyncIterable<Uint8Array>>();
    const read = Promise.withResolvers<void>();
    const token = randomUUID();
    this.#waiting.set(token, { kind: 'give', digest, body, read });
    try {
      write({ blob: { token, store, digest } });
      yield* until(await abortable(body.promise, signal), signal);
    } finally {
      this.#waiting.delete(token);
      read.resolve();
    }
  }

  async #write(
    store: string,
    { blob: { digest, size }, data }: { blob: Descriptor; data: () => AsyncIterable<Uint8Array> },
    { write, signal }: AskingBuild,
  ): Promise<void> {
    const taken = Promise.withResolvers<void>();
    await this.#ask({ kind: 'take', data, taken }, async (token) => {
      write({ blob: { token, store, digest, size } });
      await abortable(taken.promise, signal);
    });
  }

  async #ask<T>(call: Call, wait: (token: string) => Promise<T>): Promise<T> {
    const token = randomUUID();
    this.#waiting.set(token, call);
    try {
      return await wait(token);
    } finally {
      this.#waiting.delete(token);
    }
  }

  async #give(request: ApiRequest, response: ApiResponse): Promise<void> {
    const call = this.#answered(request, ['give']);
    if (call.kind !== 'give') return;
    call.body.resolve(request.body);
    await abortable(call.read.promise, request.signal);
    response.empty(204);
  }

  async #take(request: ApiRequest, response: ApiResponse): Promise<void> {
    const call = this.#answered(request, ['take']);
    if (call.kind !== 'take') return;
    try {
      const stream = response.stream(200, 'application/octet-stream');
      for await (const piece of call.data()) await stream.write(piece);
      await stream.end();
      call.taken.resolve();
    } catch (error) {
      call.taken.reject(error);
      throw error;
    }
  }

  async #decline(request: ApiRequest, response: ApiResponse): Promise<void> {
    const call = this.#answered(request, ['give', 'take']);
    if (call.kind === 'take') call.taken.resolve();
    else if (call.kind === 'give')
      call.body.reject(new EngineError('not-found', `content ${call.digest}: not found`));
    response.empty(204);
  }

  async #connect(request: ApiRequest, response: ApiResponse): Promise<void> {
    const call = this.#answered(request, ['connect']);
    if (call.kind === 'connect') call.connected.resolve(response.switchProtocol('tcp'));
  }

  /** Each is answered once. @throws EngineError "not-found". */
  #answered(request: ApiRequest, kinds: readonly Call['kind'][]): Call {
    const token = pathParam(request);
    const call = this.#waiting.get(token);
    if (call === undefined || !kinds.includes(call.kind))
      throw new EngineError('not-found', `No such call of a build: ${token}`);
    this.#waiting.delete(token);
    return call;
  }
}
