import { randomBytes } from 'node:crypto';
import type { GcRoots } from '../../images/store/lease-store.ts';
import type { ChainId, DiffId, Digest } from '../../oci/digest.ts';
import type { StateDb, Statement } from '../../storage/state-db.ts';
import { nowNano } from '../../sys/clock.ts';
import type { BuiltLayer, CacheRecord } from './cache-record.ts';

/** Uses wait so long to be written together. */
const USES_WRITTEN_MS = 10_000;

interface RecordRow {
  id: string;
  cache_key: string;
  kind: CacheRecord['kind'];
  parent: ChainId | null;
  chain: ChainId | null;
  diff_id: DiffId | null;
  blob: Digest | null;
  blob_type: string | null;
  blob_size: number | bigint;
  size: number | bigint;
  description: string;
  created_nano: bigint | number;
  used_nano: bigint | number;
  uses: number | bigint;
}

type NewRecord = Omit<CacheRecord, 'id' | 'usedNano' | 'uses' | 'createdNano'>;

/** The build cache's records: a table in `state.db`, a model of it in memory. Reads never wait. */
export class CacheStore {
  readonly #db: StateDb;
  readonly #byKey = new Map<string, CacheRecord>();
  readonly #byId = new Map<string, CacheRecord>();
  readonly #unwritten = new Set<string>();
  /** How many builds use a record right now. */
  readonly #held = new Map<string, number>();
  #writing: NodeJS.Timeout | undefined;

  private constructor(db: StateDb) {
    this.#db = db;
  }

  static async open(db: StateDb): Promise<CacheStore> {
    const store = new CacheStore(db);
    for (const row of await db.query<RecordRow>('SELECT * FROM build_records')) store.#remember(fromRow(row));
    return store;
  }

  find(key: string): CacheRecord | undefined {
    return this.#byKey.get(key);
  }

  get(id: string): CacheRecord | undefined {
    return this.#byId.get(id);
  }

  records(): CacheRecord[] {
    return [...this.#byId.values()];
  }

  /** Durable when it resolves; takes the place of what the key had before. */
  async add(made: NewRecord): Promise<CacheRecord> {
    const { record, release } = await this.addHeld(made);
    release();
    return record;
  }

  /** The same, and no prune takes it until it is released. */
  async addHeld(made: NewRecord): Promise<{ record: CacheRecord; release: () => void }> {
    const createdNano = made.layer?.createdNano ?? nowNano();
    const record: CacheRecord = { ...made, id: newRecordId(), createdNano, usedNano: nowNano(), uses: 1 };
    const before = this.#byKey.get(record.key);
    await this.#db.transact([
      { sql: 'DELETE FROM build_records WHERE cache_key = ?', params: [record.key] },
      insertRecord(record),
    ]);
    if (before !== undefined) this.#forget(before);
    this.#remember(record);
    return { record, release: this.hold(record.id) };
  }

  /** A build came by it, and has its layer on another parent now. Durable when it resolves. */
  async move(
    record: CacheRecord,
    { parent, layer }: { parent: ChainId | undefined; layer: BuiltLayer },
  ): Promise<void> {
    Object.assign(record, { parent, layer });
    this.touch(record);
    await this.#db.transact([
      {
        sql: 'UPDATE build_records SET parent = ?, chain = ? WHERE id = ?',
        params: [parent ?? null, layer.chainId, record.id],
      },
    ]);
  }

  /** A build came by it. */
  touch(record: CacheRecord): void {
    record.usedNano = nowNano();
    record.uses++;
    this.#writeLater(record);
  }

  setSize(record: CacheRecord, sizeBytes: number): void {
    record.sizeBytes = sizeBytes;
    this.#writeLater(record);
  }

  /** Until it is called, no prune takes the record. */
  hold(id: string): () => void {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#held.get(id) ?? 1) - 1;
      if (left === 0) this.#held.delete(id);
      else this.#held.set(id, left);
    };
  }

  inUse(id: string): boolean {
    return this.#held.has(id);
  }

  /** From here on no build finds them. Where that can't be written, they stay. */
  async remove(records: readonly CacheRecord[]): Promise<void> {
    if (records.length === 0) return;
    for (const record of records) this.#forget(record);
    try {
      await this.#db.transact(
        records.map(({ id }) => ({ sql: 'DELETE FROM build_records WHERE id = ?', params: [id] })),
        { usesReserve: true },
      );
    } catch (error) {
      for (const record of records) if (!this.#byKey.has(record.key)) this.#remember(record);
      throw error;
    }
  }

  /** What a collection of images must leave alone. */
  roots(): GcRoots {
    const layers = [...this.#byId.values()].flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
    const parents = [...this.#byId.values()].flatMap(({ parent }) => (parent === undefined ? [] : [parent]));
    return {
      blobs: layers.map(({ descriptor }) => descriptor.digest),
      chains: [...layers.map(({ chainId }) => chainId), ...parents],
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#writing);
    await this.#writeUses();
  }

  #remember(record: CacheRecord): void {
    this.#byKey.set(record.key, record);
    this.#byId.set(record.id, record);
  }

  #forget(record: CacheRecord): void {
    if (this.#byKey.get(record.key) === record) this.#byKey.delete(record.key);
    this.#byId.delete(record.id);
  }

  #writeLater({ id }: CacheRecord): void {
    this.#unwritten.add(id);
    this.#writing ??= setTimeout(
      () => void this.#writeUses().catch(() => undefined),
      USES_WRITTEN_MS,
    ).unref();
  }

  async #writeUses(): Promise<void> {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    const records = [...this.#unwritten].flatMap((id) => this.#byId.get(id) ?? []);
    this.#unwritten.clear();
    if (records.length === 0) return;
    await this.#db.transact(
      records.map(({ id, usedNano, uses, sizeBytes }) => ({
        sql: 'UPDATE build_records SET used_nano = ?, uses = ?, size = ? WHERE id = ?',
        params: [usedNano, uses, sizeBytes, id],
      })),
    );
  }
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

/** 25 letters, as BuildKit's. */
export function newRecordId(): string {
  return [...randomBytes(25)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

function insertRecord(record: CacheRecord): Statement {
  const { layer } = record;
  return {
    sql: 'INSERT INTO build_records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    params: [
      record.id,
      record.key,
      record.kind,
      record.parent ?? null,
      layer?.chainId ?? null,
      layer?.diffId ?? null,
      layer?.descriptor.digest ?? null,
      layer?.descriptor.mediaType ?? null,
      layer?.descriptor.size ?? 0,
      layer?.tarSize ?? record.sizeBytes,
      record.description,
      record.createdNano,
      record.usedNano,
      record.uses,
    ],
  };
}

function fromRow(row: RecordRow): CacheRecord {
  const { chain, diff_id: diffId, blob, blob_type: mediaType } = row;
  const createdNano = BigInt(row.created_nano);
  const sizeBytes = Number(row.size);
  const layer =
    chain === null || diffId === null || blob === null || mediaType === null
      ? undefined
      : {
          chainId: chain,
          diffId,
          descriptor: { mediaType, digest: blob, size: Number(row.blob_size) },
          tarSize: sizeBytes,
          createdNano,
        };
  return {
    id: row.id,
    key: row.cache_key,
    kind: row.kind,
    parent: row.parent ?? undefined,
    layer,
    sizeBytes,
    description: row.description,
    createdNano,
    usedNano: BigInt(row.used_nano),
    uses: Number(row.uses),
  };
}
