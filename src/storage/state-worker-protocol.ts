import type { SerializedError } from '../errors/engine-error.ts';
import type { Migration, SqlValue, Statement } from './state-db.ts';

export type StateRequest =
  | { kind: 'open'; id: number; path: string; migrations: Migration[] }
  | { kind: 'query'; id: number; sql: string; params: SqlValue[] }
  | { kind: 'transact'; id: number; statements: Statement[]; usesReserve: boolean }
  | { kind: 'close'; id: number };

export type StateReply = { id: number; rows?: unknown[]; error?: SerializedError };
