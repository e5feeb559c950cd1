import { pipeline } from 'node:stream/promises';
import { EngineError } from '../errors/engine-error.ts';
import type { RegistryCredentials } from '../registry/client/registry-client.ts';
import { forwardSocket } from '../sys/forward-socket.ts';
import type { BuildSession, ContextSource, OutputSink } from './build-session.ts';
import type { ClientBlobs } from './client-blobs.ts';
import type { OpenTerminal } from './client-terminal.ts';
import type { PostedCalls } from './posted-calls.ts';

/** A context that is here until `close`. */
export interface PostedContext extends ContextSource {
  close(): Promise<void>;
}

export interface PostedParts {
  /** By their names: `context`, `dockerfile`, named ones. */
  contexts: ReadonlyMap<string, PostedContext>;
  secrets: ReadonlyMap<string, Uint8Array>;
  /** By registry, as `X-Registry-Config` has them. */
  credentials: ReadonlyMap<string, RegistryCredentials>;
  outputs: ReadonlyMap<string, OutputSink>;
  /** Undefined: the protocol has no way back. */
  calls?: PostedCalls | undefined;
}

/** What came with a build's request and is here whole. What else a client has is asked of it, where its protocol has a way back. */
export class PostedSession implements BuildSession {
  readonly #parts: PostedParts;

  constructor(parts: PostedParts) {
    this.#parts = parts;
  }

  get terminal(): OpenTerminal | undefined {
    return this.#parts.calls?.terminal;
  }

  context(name: string): ContextSource {
    const context = this.#parts.contexts.get(name);
    if (context === undefined) throw new EngineError('not-found', `no context named ${name} was sent`);
    return context;
  }

  async secret(id: string): Promise<Uint8Array | undefined> {
    return this.#parts.secrets.get(id);
  }

  async forwardAgent(
    id: string,
    path: string,
    { signal }: { signal: AbortSignal },
  ): Promise<{ close(): Promise<void> }> {
    const { calls } = this.#parts;
    const name = id === '' ? 'default' : id;
    if (calls?.agents.has(name) !== true) throw new EngineError('not-found', `unset ssh forward key ${name}`);
    return await forwardSocket(path, async (socket, ended) => {
      const agent = await calls.connectAgent(name, { signal: AbortSignal.any([signal, ended]) });
      await Promise.all([
        pipeline(socket, agent, { signal: ended }),
        pipeline(agent, socket, { signal: ended }),
      ]);
    });
  }

  blobs(store: string): ClientBlobs {
    const { calls } = this.#parts;
    if (calls === undefined)
      throw new EngineError('not-implemented', `this protocol carries no OCI layout ${store}`);
    return calls.blobs(store);
  }

  async credentials(host: string): Promise<RegistryCredentials | undefined> {
    const { credentials } = this.#parts;
    const names =
      host === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'] : [host];
    const found = names.flatMap((name) => [name, `https://${name}`, `https://${name}/`, `http://${name}`]);
    return found.map((name) => credentials.get(name)).find((one) => one !== undefined);
  }

  output(id: string): OutputSink {
    const sink = this.#parts.outputs.get(id);
    if (sink === undefined) throw new EngineError('not-implemented', 'this protocol carries no such output');
    return sink;
  }

  /** Its files go. */
  async close(): Promise<void> {
    await Promise.all([...this.#parts.contexts.values()].map((context) => context.close()));
  }
}
