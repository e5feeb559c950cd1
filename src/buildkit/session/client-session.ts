import type { BuildSession, ContextSource, OutputSink } from '../../builder/build-session.ts';
import type { ClientBlobs } from '../../builder/client-blobs.ts';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { RegistryCredentials } from '../../registry/client/registry-client.ts';
import type { ContextDirectories } from '../filesync/context-directories.ts';
import { Auth } from '../protocol/generated/auth_pb.ts';
import { Secrets } from '../protocol/generated/secrets_pb.ts';
import { forwardAgent } from './agent-forward.ts';
import { SessionBlobs } from './session-blobs.ts';
import type { OpenSession } from './session-store.ts';
import { type OpenDirectory, SyncedContext } from './synced-context.ts';

const MAX_SECRET_BYTES = 500 << 10;
/** Docker's own name for the registry that has no other. */
const DOCKER_HUB = 'registry-1.docker.io';

export interface ClientSessionPorts {
  contexts: ContextDirectories;
  openDirectory: OpenDirectory;
}

/** What the client of a build gives it, by the calls of its session. */
export class ClientSession implements BuildSession {
  readonly #session: OpenSession;
  readonly #ports: ClientSessionPorts;
  readonly #outputs: ReadonlyMap<string, OutputSink>;
  readonly #context: ContextSource | undefined;

  /** `outputs`: where results go, by the ids of the build's exporters. `context`: the main one, where the client sent it otherwise. */
  constructor(
    session: OpenSession,
    ports: ClientSessionPorts,
    given: { outputs?: ReadonlyMap<string, OutputSink>; context?: ContextSource | undefined } = {},
  ) {
    this.#session = session;
    this.#ports = ports;
    this.#outputs = given.outputs ?? new Map();
    this.#context = given.context;
  }

  context(name: string): ContextSource {
    if (this.#context !== undefined && name === 'context') return this.#context;
    return new SyncedContext(name, this.#session, this.#ports);
  }

  async secret(id: string, { signal }: { signal: AbortSignal }): Promise<Uint8Array | undefined> {
    const asked = this.#session.client.call(Secrets.method.getSecret, { id }, { signal });
    const answer = await orUndefined(asked);
    if (answer !== undefined && answer.data.length > MAX_SECRET_BYTES)
      throw new EngineError('invalid', `secret ${id} is larger than ${MAX_SECRET_BYTES} bytes`);
    return answer?.data;
  }

  async forwardAgent(
    id: string,
    path: string,
    { signal }: { signal: AbortSignal },
  ): Promise<{ close(): Promise<void> }> {
    return await forwardAgent(this.#session, id === '' ? 'default' : id, { path, signal });
  }

  /** Clients that keep the password to themselves and hand out tokens are asked for the password all the same; without one the registry is asked as anybody. */
  async credentials(
    host: string,
    { signal }: { signal: AbortSignal },
  ): Promise<RegistryCredentials | undefined> {
    const asked = host === 'docker.io' ? DOCKER_HUB : host;
    const answer = await orUndefined(
      this.#session.client.call(Auth.method.credentials, { host: asked }, { signal }),
    );
    if (answer === undefined || answer.secret === '') return undefined;
    return answer.username === ''
      ? { identityToken: answer.secret }
      : { username: answer.username, password: answer.secret };
  }

  output(id: string): OutputSink {
    const sink = this.#outputs.get(id);
    if (sink === undefined) throw new EngineError('not-found', `exporter ${JSON.stringify(id)} not found`);
    return sink;
  }

  blobs(store: string): ClientBlobs {
    return new SessionBlobs(this.#session, store);
  }
}

/** What a client doesn't have, or doesn't offer at all, is nothing. */
async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const kind = kindOf(error);
    if (kind === 'not-found' || kind === 'not-implemented') return undefined;
    throw error;
  }
}
