import { Database, type SQLQueryBindings } from 'bun:sqlite';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { EngineError, type SerializedError, serializeError } from '../errors/engine-error.ts';
import { applyMigrations, IN_MEMORY } from './migrations.ts';
import { SpaceReserve } from './space-reserve.ts';
import type { SqlValue, Statement } from './state-db.ts';
import type { StateReply, StateRequest } from './state-worker-protocol.ts';

declare const self: Worker;

type Transaction = Extract<StateRequest, { kind: 'transact' }>;

let database: Database | undefined;
let reserve: SpaceReserve | undefined;
let waiting: Transaction[] = [];

self.onmessage = (event: MessageEvent<StateRequest>) => {
  const request = event.data;
  if (request.kind === 'transact') {
    // One commit serves all that arrived before it: each FULL commit is an fsync.
    if (waiting.push(request) === 1) setImmediate(commitWaiting);
    return;
  }
  if (waiting.length > 0) commitWaiting();
  try {
    reply({ id: request.id, rows: answer(request) });
  } catch (error) {
    reply({ id: request.id, error: describe(error) });
  }
};

function answer(request: Exclude<StateRequest, Transaction>): unknown[] {
  if (request.kind === 'open') {
    database = openDatabase(request.path);
    applyMigrations(database, request.path, request.migrations);
    reserve = request.path === IN_MEMORY ? undefined : new SpaceReserve(`${request.path}.reserve`);
    reserve?.fill();
    return [];
  }
  const db = opened();
  if (request.kind === 'query')
    return db
      .query(request.sql)
      .all(...bindings(request.params))
      .map(narrow);
  db.run('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  database = undefined;
  return [];
}

function openDatabase(path: string): Database {
  if (path !== IN_MEMORY) makePrivate(path);
  const db = new Database(path, { create: true, safeIntegers: true });
  db.run('PRAGMA journal_mode = WAL');
  db.run('PRAGMA synchronous = FULL');
  db.run('PRAGMA foreign_keys = ON');
  db.run('PRAGMA busy_timeout = 5000');
  return db;
}

/** Containers' environments are in it, so it is nobody else's to read, whatever the folder allows; its journals take its mode. */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function commitWaiting(): void {
  const batch = waiting;
  waiting = [];
  if (batch.length === 0) return;
  const outcomes = commit(batch);
  const urgent = batch.filter(({ id, usesReserve }) => usesReserve && isNoSpace(outcomes.get(id)));
  if (urgent.length > 0 && reserve?.release())
    for (const [id, error] of commit(urgent)) outcomes.set(id, error);
  for (const [id, error] of outcomes) reply(error === undefined ? { id } : { id, error });
  reserve?.fill();
}

function commit(batch: Transaction[]): Map<number, SerializedError | undefined> {
  const outcomes = new Map<number, SerializedError | undefined>();
  try {
    const db = opened();
    db.run('BEGIN IMMEDIATE');
    for (const request of batch) outcomes.set(request.id, runInSavepoint(db, request.statements));
    db.run('COMMIT');
  } catch (error) {
    if (database?.inTransaction) database.run('ROLLBACK');
    for (const request of batch) outcomes.set(request.id, describe(error));
  }
  return outcomes;
}

function isNoSpace(error: SerializedError | undefined): boolean {
  return error?.code === 'no-space';
}

function runInSavepoint(db: Database, statements: Statement[]): SerializedError | undefined {
  db.run('SAVEPOINT one');
  try {
    for (const statement of statements) db.query(statement.sql).run(...bindings(statement.params ?? []));
    db.run('RELEASE one');
    return undefined;
  } catch (error) {
    // A full disk may have undone all of the transaction, those before this one too.
    if (!db.inTransaction) throw error;
    db.run('ROLLBACK TO one');
    db.run('RELEASE one');
    return describe(error);
  }
}

function bindings(params: SqlValue[]): SQLQueryBindings[] {
  return params;
}

/** Integers that fit become numbers. */
function narrow(row: unknown): unknown {
  const values = row as Record<string, unknown>;
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'bigint' && value >= -9007199254740991n && value <= 9007199254740991n)
      values[name] = Number(value);
  }
  return values;
}

function opened(): Database {
  if (database === undefined) throw new EngineError('unavailable', 'The state database is closed');
  return database;
}

function describe(error: unknown): SerializedError {
  if (error instanceof EngineError) return serializeError(error);
  const text = error instanceof Error ? error.message : String(error);
  if (/constraint/i.test(text)) return { kind: 'conflict', message: text };
  if (/disk is full|database or disk/i.test(text))
    return { kind: 'internal', message: `Cannot write the state database: ${text}`, code: 'no-space' };
  return { kind: 'internal', message: `State database: ${text}` };
}

function reply(message: StateReply): void {
  self.postMessage(message);
}
