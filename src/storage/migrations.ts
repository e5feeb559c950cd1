import type { Database } from 'bun:sqlite';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { EngineError } from '../errors/engine-error.ts';
import type { Migration } from './state-db.ts';

/** SQLite's name for a database without a file. */
export const IN_MEMORY = ':memory:';

/**
 * Bring the schema to the newest version, all missing steps in one transaction, after a backup beside the file.
 *
 * @throws EngineError "conflict" code schema-newer when the file was written by a later engine.
 */
export function applyMigrations(database: Database, path: string, migrations: Migration[]): void {
  const current = schemaVersion(database);
  const newest = migrations.at(-1)?.version ?? 0;
  if (current > newest) {
    throw new EngineError(
      'conflict',
      `Cannot open ${JSON.stringify(path)}: its schema is version ${current}, this engine knows ${newest}`,
      {
        code: 'schema-newer',
        hint: 'Use the engine that wrote it, or a newer one.',
      },
    );
  }
  if (current === newest) return;
  if (current > 0 && path !== IN_MEMORY) backUp(database, path, current);
  database.run('BEGIN IMMEDIATE');
  try {
    for (const migration of migrations.filter(({ version }) => version > current)) {
      for (const statement of migration.statements) database.run(statement);
    }
    database.run(`PRAGMA user_version = ${newest}`);
    database.run('COMMIT');
  } catch (error) {
    database.run('ROLLBACK');
    throw error;
  }
}

function schemaVersion(database: Database): number {
  const row = database.query('PRAGMA user_version').get() as { user_version: number | bigint };
  return Number(row.user_version);
}

function backUp(database: Database, path: string, version: number): void {
  const backup = `${path}.v${version}.bak`;
  if (existsSync(backup)) return;
  const partial = `${backup}.tmp`;
  rmSync(partial, { force: true });
  database.query('VACUUM INTO ?').run(partial);
  renameSync(partial, backup);
}
