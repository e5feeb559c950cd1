import { EngineError } from '../errors/engine-error.ts';
import type { RegistryCredentials } from '../registry/registry-client.ts';
import type { BuildSession, ContextSource, OutputSink } from './build-session.ts';

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
}

/** What came with a build's request and is here whole: nothing is asked of the client while it runs. */
export class PostedSession implements BuildSession {
  readonly #parts: PostedParts;

  constructor(parts: PostedParts) {
    this.#parts = parts;
  }

  context(name: string): ContextSource {
    const context = this.#parts.contexts.get(name);
    if (context === undefined) throw new EngineError('not-found', `no context named ${name} was sent`);
    return context;
  }

  async secret(id: string): Promise<Uint8Array | undefined> {
    return this.#parts.secrets.get(id);
  }

  async forwardAgent(id: string): Promise<never> {
    throw new EngineError('not-found', `unset ssh forward key ${id}`);
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
