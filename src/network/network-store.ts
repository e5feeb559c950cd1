import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { StateDb } from '../storage/state-db.ts';
import type { NetworkInfo } from './network-driver.ts';

/** The tables of this room, as the steps of a migration. */
export const networkTables = [
  'CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT',
];

/** Networks that users have made, on disk. */
export interface NetworkStore {
  load(): Promise<NetworkInfo[]>;
  /** @throws EngineError "conflict" when the name is taken. */
  insert(network: NetworkInfo): Promise<void>;
  remove(id: string): Promise<void>;
}

export class SqliteNetworkStore implements NetworkStore {
  readonly #db: StateDb;

  constructor(db: StateDb) {
    this.#db = db;
  }

  async load(): Promise<NetworkInfo[]> {
    const rows = await this.#db.query<{ id: string; record: string }>(
      'SELECT id, record FROM networks ORDER BY rowid',
    );
    return rows.map(decodeRow);
  }

  async insert(network: NetworkInfo): Promise<void> {
    const record = JSON.stringify({ ...network, createdNano: String(network.createdNano) });
    const sql = 'INSERT INTO networks (id, name, record) VALUES (?, ?, ?)';
    await this.#db.transact([{ sql, params: [network.id, network.name, record] }]);
  }

  async remove(id: string): Promise<void> {
    const sql = 'DELETE FROM networks WHERE id = ?';
    await this.#db.transact([{ sql, params: [id] }], { usesReserve: true });
  }
}

/** What records of releases without configuration networks lack. */
const BEFORE_CONFIGURATIONS = { configOnly: false, configFrom: '', ipamDriver: 'default' };

/** The text is our own, so its shape is trusted. */
function decodeRow({ id, record }: { id: string; record: string }): NetworkInfo {
  try {
    const network = JSON.parse(record) as NetworkInfo;
    return { ...BEFORE_CONFIGURATIONS, ...network, createdNano: BigInt(network.createdNano) };
  } catch (error) {
    throw new EngineError('internal', `Cannot read the record of network ${id}: ${messageOf(error)}`, {
      hint: 'Restore state.db of the data root, or delete that row of its table "networks".',
      cause: error,
    });
  }
}

/** For engines without a disk, and for tests. */
export class MemoryNetworkStore implements NetworkStore {
  readonly #networks = new Map<string, NetworkInfo>();

  load(): Promise<NetworkInfo[]> {
    return Promise.resolve([...this.#networks.values()]);
  }

  insert(network: NetworkInfo): Promise<void> {
    this.#networks.set(network.id, network);
    return Promise.resolve();
  }

  remove(id: string): Promise<void> {
    this.#networks.delete(id);
    return Promise.resolve();
  }
}
