export type SqlValue = string | number | bigint | null | Uint8Array;

export interface Statement {
  sql: string;
  params?: SqlValue[];
}

/** One step of the schema. `version` rises by one; a migration that has shipped is never edited. */
export interface Migration {
  version: number;
  name: string;
  statements: string[];
}

/**
 * The engine's durable metadata: one SQLite file, owned by a worker thread so that no caller's thread waits for a disk.
 *
 * Integers come back as number, or as bigint where they pass 2^53.
 */
export interface StateDb {
  query<Row>(sql: string, params?: SqlValue[]): Promise<Row[]>;
  /**
   * Run all statements in one transaction. Once it resolves, they are on disk (WAL, synchronous FULL). Calls that wait at the
   * same time share a commit; a failing one fails alone.
   *
   * `usesReserve`: on a full disk, it may take the space set aside for what leads to free space, such as a container's removal or its stop.
   *
   * @throws EngineError "conflict" on a violated constraint, "internal" on anything else, code no-space on a full disk.
   */
  transact(statements: Statement[], options?: { usesReserve?: boolean }): Promise<void>;
  close(): Promise<void>;
}
