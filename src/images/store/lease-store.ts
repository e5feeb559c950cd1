import { randomUUID } from 'node:crypto';
import type { ChainId, Digest } from '../../oci/digest.ts';
import type { StateDb } from '../../storage/state-db.ts';

/** What a collection must leave alone. */
export interface GcRoots {
  blobs: readonly Digest[];
  chains: readonly ChainId[];
}

/** Holds what is being pulled, built or pushed until an image does. */
export interface Lease {
  /** In force at once; durable when it resolves. */
  add(roots: GcRoots): Promise<void>;
  /** What it holds. */
  roots(): GcRoots;
  /** Let go now. */
  release(): Promise<void>;
  /** Let go in `graceMs`: an interrupted pull may come again for what it has. */
  expire(graceMs: number): Promise<void>;
}

interface LeaseState {
  expiresMs: number;
  /** Its holder is gone; it waits for another. */
  interrupted: boolean;
  blobs: Set<Digest>;
  chains: Set<ChainId>;
}

const LEASE_MS = 24 * 3600_000;
/** Begins the ids of leases that end with their daemon. */
const TRANSIENT = 'transient-';

/** Leases live in memory and in `state.db`; one of an earlier boot, or past its time, is void. */
export class LeaseStore {
  readonly #db: StateDb;
  readonly #bootId: string;
  readonly #leases = new Map<string, LeaseState>();
  #ended: (roots: GcRoots) => void = () => undefined;

  private constructor(db: StateDb, bootId: string) {
    this.#db = db;
    this.#bootId = bootId;
  }

  /** Leases that an earlier daemon of this boot left end within `graceMs`; those of what can't be resumed have ended with it. */
  static async open(db: StateDb, bootId: string, graceMs: number): Promise<LeaseStore> {
    const store = new LeaseStore(db, bootId);
    const expiresMs = Date.now() + graceMs;
    const [any] = await db.query('SELECT 1 FROM leases LIMIT 1');
    // A start without leases costs no commit.
    if (any === undefined) return store;
    await db.transact([
      {
        sql: 'DELETE FROM leases WHERE boot_id <> ? OR expires_ms <= ? OR id LIKE ?',
        params: [bootId, Date.now(), `${TRANSIENT}%`],
      },
      { sql: 'UPDATE leases SET expires_ms = min(expires_ms, ?)', params: [expiresMs] },
    ]);
    const rows = await db.query<{ id: string; expires_ms: number; kind: string | null; root: string }>(
      'SELECT l.id, l.expires_ms, r.kind, r.root FROM leases l LEFT JOIN lease_roots r ON r.lease = l.id',
    );
    for (const row of rows) {
      const lease = store.#leases.get(row.id) ?? newState(Number(row.expires_ms), true);
      store.#leases.set(row.id, lease);
      if (row.kind === 'blob') lease.blobs.add(row.root as Digest);
      if (row.kind === 'chain') lease.chains.add(row.root as ChainId);
    }
    return store;
  }

  /**
   * A lease on nothing yet. Costs no disk until something is added.
   *
   * @param options.resumable whether another can go on with what a daemon that was killed has left, as with a pull
   */
  take({ resumable = true }: { resumable?: boolean } = {}): Lease {
    const id = resumable ? randomUUID() : TRANSIENT + randomUUID();
    const state = newState(Date.now() + LEASE_MS, false);
    this.#leases.set(id, state);
    return {
      add: (roots) => this.#add(id, state, roots),
      roots: () => rootsOf(state),
      release: () => this.#release(id),
      expire: (graceMs) => this.#expire(id, graceMs),
    };
  }

  /** Holds roots in memory alone, until it is called. */
  hold(roots: GcRoots): () => void {
    const id = randomUUID();
    const state = newState(Number.POSITIVE_INFINITY, false);
    for (const blob of roots.blobs) state.blobs.add(blob);
    for (const chain of roots.chains) state.chains.add(chain);
    this.#leases.set(id, state);
    return () => {
      if (this.#leases.delete(id)) this.#ended(rootsOf(state));
    };
  }

  /** Be told what a lease or a hold held, each time that one has ended. */
  onEnd(listener: (roots: GcRoots) => void): void {
    this.#ended = listener;
  }

  /** Whether interrupted work of an earlier daemon still holds something. */
  get holdsInterrupted(): boolean {
    return [...this.#leases.values()].some(({ interrupted }) => interrupted);
  }

  /** What was interrupted has been brought to its end by another: its leases on no more than `roots` go, at once. */
  async supersede(roots: GcRoots): Promise<void> {
    const blobs = new Set(roots.blobs);
    const ended = [...this.#leases].filter(([, lease]) => lease.interrupted && lease.blobs.isSubsetOf(blobs));
    await Promise.all(ended.map(([id]) => this.#release(id)));
  }

  /** The roots of all leases in force; those past their time are dropped. */
  async roots(): Promise<GcRoots> {
    const now = Date.now();
    for (const [id, { expiresMs }] of this.#leases) if (expiresMs <= now) await this.#release(id);
    const live = [...this.#leases.values()];
    return {
      blobs: live.flatMap(({ blobs }) => [...blobs]),
      chains: live.flatMap(({ chains }) => [...chains]),
    };
  }

  async #add(id: string, state: LeaseState, roots: GcRoots): Promise<void> {
    if (roots.blobs.length + roots.chains.length === 0) return;
    for (const blob of roots.blobs) state.blobs.add(blob);
    for (const chain of roots.chains) state.chains.add(chain);
    const insert = (kind: string, root: string) => ({
      sql: 'INSERT INTO lease_roots VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      params: [id, kind, root],
    });
    await this.#db.transact([
      {
        sql: 'INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        params: [id, state.expiresMs, this.#bootId],
      },
      ...roots.blobs.map((root) => insert('blob', root)),
      ...roots.chains.map((root) => insert('chain', root)),
    ]);
  }

  async #release(id: string): Promise<void> {
    const state = this.#leases.get(id);
    this.#leases.delete(id);
    if (state === undefined || state.blobs.size + state.chains.size === 0) return;
    this.#ended(rootsOf(state));
    await this.#db.transact([{ sql: 'DELETE FROM leases WHERE id = ?', params: [id] }]);
  }

  async #expire(id: string, graceMs: number): Promise<void> {
    const state = this.#leases.get(id);
    if (state === undefined) return;
    state.interrupted = true;
    state.expiresMs = Math.min(state.expiresMs, Date.now() + graceMs);
    await this.#db.transact([
      { sql: 'UPDATE leases SET expires_ms = ? WHERE id = ?', params: [state.expiresMs, id] },
    ]);
  }
}

function rootsOf({ blobs, chains }: LeaseState): GcRoots {
  return { blobs: [...blobs], chains: [...chains] };
}

function newState(expiresMs: number, interrupted: boolean): LeaseState {
  return { expiresMs, interrupted, blobs: new Set(), chains: new Set() };
}
