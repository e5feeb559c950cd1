import type { Duplex } from 'node:stream';
import { EngineError } from '../../errors/engine-error.ts';
import { GrpcClient } from '../grpc/grpc-client.ts';

/** A client's standing offer of services to the builds that name it. */
export interface OpenSession {
  id: string;
  /** What the client calls it, for people. */
  name: string;
  /** The same for builds of one directory: their contexts differ little. */
  sharedKey: string;
  client: GrpcClient;
  /** `/package.Service/Method`, as the client lists them. */
  offers(path: string): boolean;
}

/** What a client says of its session when it opens it: header names in lower case. */
export type SessionHeaders = Readonly<Record<string, string | string[] | undefined>>;

const PREFIX = 'x-docker-expose-session-';
/** A build may come before its session does. */
const WAIT_MS = 5_000;
const MAX_SESSIONS = 1_000;

/** The sessions that are open, by their ids. */
export class SessionStore {
  readonly #sessions = new Map<string, OpenSession>();
  #waiting: { id: string; resolve: (session: OpenSession) => void }[] = [];

  /**
   * Take a connection on which the client serves. Resolves when it has ended.
   *
   * @throws EngineError "invalid" without an id, "conflict" for one that is taken.
   */
  async serve(socket: Duplex, headers: SessionHeaders): Promise<void> {
    const id = textOf(headers[`${PREFIX}uuid`]);
    if (id === '') throw new EngineError('invalid', 'Cannot open a session: it has no id');
    if (this.#sessions.has(id))
      throw new EngineError('conflict', `session ${JSON.stringify(id)} is open already`);
    if (this.#sessions.size >= MAX_SESSIONS)
      throw new EngineError('unavailable', `Cannot open a session: ${MAX_SESSIONS} are open`);
    const methods = new Set(listOf(headers[`${PREFIX}grpc-method`]).map((path) => path.toLowerCase()));
    const client = new GrpcClient(socket);
    const session: OpenSession = {
      id,
      name: textOf(headers[`${PREFIX}name`]),
      sharedKey: textOf(headers[`${PREFIX}sharedkey`]),
      client,
      offers: (path) => methods.has(path.toLowerCase()),
    };
    this.#sessions.set(id, session);
    for (const { resolve } of this.#waiting.filter((one) => one.id === id)) resolve(session);
    try {
      await client.closed;
    } finally {
      this.#sessions.delete(id);
    }
  }

  /** The session, or what becomes it within some seconds. @throws EngineError "not-found" `no active session for <id>`; the signal's reason. */
  async get(id: string, signal: AbortSignal): Promise<OpenSession> {
    const open = this.#sessions.get(id);
    if (open !== undefined) return open;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<OpenSession>();
    const waiter = { id, resolve };
    const late = setTimeout(
      () => reject(new EngineError('not-found', `no active session for ${id}`)),
      WAIT_MS,
    );
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiter);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', onAbort);
      this.#waiting = this.#waiting.filter((one) => one !== waiter);
    }
  }

  /** Part with every client. */
  close(): void {
    for (const { client } of this.#sessions.values()) client.close();
  }
}

function textOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** Node joins what a header says several times with commas; no method's name has one. */
function listOf(value: string | string[] | undefined): string[] {
  return (Array.isArray(value) ? value : [value ?? ''])
    .flatMap((text) => text.split(/\s*,\s*/))
    .filter(Boolean);
}
