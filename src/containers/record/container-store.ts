import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { StateDb, Statement } from '../../storage/state-db.ts';
import { type ContainerRecord, decodeRecord, encodeRecord } from './container-record.ts';

/** The tables of this room, as the steps of a migration. */
export const containerTables = [
  `CREATE TABLE containers (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     record TEXT NOT NULL
   ) STRICT`,
];

/** Persists container records. The model in memory is `ContainerIndex`. */
export class ContainerStore {
  readonly #db: StateDb;

  constructor(db: StateDb) {
    this.#db = db;
  }

  /** @throws EngineError "internal" that names the record which cannot be read: to go on would be to remove what is its container's. */
  async load(): Promise<ContainerRecord[]> {
    const rows = await this.#db.query<{ id: string; record: string }>('SELECT id, record FROM containers');
    return rows.map(decodeRow);
  }

  /** With what is to be there when it is. @throws EngineError "conflict" when id or name is taken. */
  async insert(record: ContainerRecord, also: readonly Statement[] = []): Promise<void> {
    await this.#db.transact([
      ...also,
      {
        sql: 'INSERT INTO containers (id, name, record) VALUES (?, ?, ?)',
        params: [record.id, record.name, encodeRecord(record)],
      },
    ]);
  }

  async update(record: ContainerRecord, options: { usesReserve?: boolean } = {}): Promise<void> {
    const params = [record.name, encodeRecord(record), record.id];
    const sql = 'UPDATE containers SET name = ?, record = ? WHERE id = ?';
    await this.#db.transact([{ sql, params }], options);
  }

  /** That the user wants it stopped, and nothing else: it comes beside a rename, say, whose name it must not take back. */
  async markStopped(id: string): Promise<void> {
    const sql = `UPDATE containers SET record = json_set(record, '$.stoppedByUser', json('true')) WHERE id = ?`;
    await this.#db.transact([{ sql, params: [id] }], { usesReserve: true });
  }

  /** With what goes when it does. */
  async remove(id: string, also: readonly Statement[] = []): Promise<void> {
    const removal = { sql: 'DELETE FROM containers WHERE id = ?', params: [id] };
    await this.#db.transact([removal, ...also], { usesReserve: true });
  }
}

function decodeRow({ id, record }: { id: string; record: string }): ContainerRecord {
  try {
    return decodeRecord(record);
  } catch (error) {
    throw new EngineError('internal', `Cannot read the record of container ${id}: ${messageOf(error)}`, {
      hint: 'Restore state.db of the data root, or delete that row of its table "containers": then what it wrote goes too.',
      cause: error,
    });
  }
}

/** What a look-up by name or id works on. */
interface Named {
  id: string;
  name: string;
}

/** Containers in memory, by id, by name and by unique prefix of an id. */
export class ContainerIndex<T extends Named> {
  readonly #byId = new Map<string, T>();
  readonly #byName = new Map<string, T>();

  get size(): number {
    return this.#byId.size;
  }

  values(): IterableIterator<T> {
    return this.#byId.values();
  }

  hasName(name: string): boolean {
    return this.#byName.has(name);
  }

  /** By its whole id. */
  get(id: string): T | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): T | undefined {
    return this.#byName.get(name);
  }

  add(container: T): void {
    this.#byId.set(container.id, container);
    this.#byName.set(container.name, container);
  }

  remove(container: T): void {
    this.#byId.delete(container.id);
    if (this.#byName.get(container.name) === container) this.#byName.delete(container.name);
  }

  /** Whether it is this very one that goes by its id. */
  has(container: T): boolean {
    return this.#byId.get(container.id) === container;
  }

  /** Give a new name; the old one is free at once. A container that is not in the index (any more) does not come back. */
  rename(container: T, assign: () => void): void {
    if (this.#byId.get(container.id) !== container) return;
    this.#byName.delete(container.name);
    assign();
    this.#byName.set(container.name, container);
  }

  /** @throws EngineError "not-found" `No such container: x`, "invalid" when a prefix fits several. */
  resolve(nameOrId: string): T {
    const bare = nameOrId.replace(/^\//, '');
    const exact = this.#byId.get(bare) ?? this.#byName.get(bare);
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]{1,63}$/.test(bare)
      ? [...this.#byId.values()].filter(({ id }) => id.startsWith(bare))
      : [];
    const [match] = matches;
    if (matches.length > 1)
      throw new EngineError('invalid', `Multiple IDs found with provided prefix: ${bare}`);
    if (match === undefined) throw new EngineError('not-found', `No such container: ${nameOrId}`);
    return match;
  }
}
