import { deserializeError, EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { Migration, SqlValue, StateDb, Statement } from './state-db.ts';
import type { StateReply, StateRequest } from './state-worker-protocol.ts';

interface Pending {
  resolve: (rows: unknown[]) => void;
  reject: (error: unknown) => void;
}

type WithoutId<T> = T extends { id: number } ? Omit<T, 'id'> : never;

/** `StateDb` on a worker thread of its own. */
export class SqliteStateDb implements StateDb {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #failure: EngineError | undefined;

  private constructor() {
    this.#worker = new Worker(new URL('./state-worker.ts', import.meta.url));
    this.#worker.onmessage = (event: MessageEvent<StateReply>) => this.#settle(event.data);
    this.#worker.onerror = (event) => this.#fail(event.message);
  }

  /**
   * Open or make the database file (`:memory:`: none) and bring its schema up to date.
   *
   * @throws EngineError "conflict" code schema-newer, "internal" when the file is damaged or no database.
   */
  static async open(path: string, migrations: Migration[]): Promise<SqliteStateDb> {
    const db = new SqliteStateDb();
    try {
      await db.#request({ kind: 'open', path, migrations });
    } catch (error) {
      db.#worker.terminate();
      if (kindOf(error) !== 'internal') throw error;
      throw new EngineError('internal', `Cannot open ${JSON.stringify(path)}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return db;
  }

  async query<Row>(sql: string, params: SqlValue[] = []): Promise<Row[]> {
    return (await this.#request({ kind: 'query', sql, params })) as Row[];
  }

  async transact(statements: Statement[], options: { usesReserve?: boolean } = {}): Promise<void> {
    await this.#request({ kind: 'transact', statements, usesReserve: options.usesReserve ?? false });
  }

  async close(): Promise<void> {
    await this.#request({ kind: 'close' });
    this.#worker.terminate();
    this.#fail('closed');
  }

  #request(request: WithoutId<StateRequest>): Promise<unknown[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>();
    this.#pending.set(id, { resolve, reject });
    this.#worker.postMessage({ ...request, id });
    return promise;
  }

  #settle(reply: StateReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.error === undefined) pending?.resolve(reply.rows ?? []);
    else pending?.reject(deserializeError(reply.error));
  }

  #fail(reason: string): void {
    this.#failure ??= new EngineError('unavailable', `The state database is gone: ${reason}`);
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }
}
