import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { diskUsage } from '../storage/disk-usage.ts';
import type { StateDb, Statement } from '../storage/state-db.ts';
import { nowNano } from '../sys/clock.ts';
import type { Volume, Volumes } from './volumes.ts';

/** The tables of this room, as the steps of a migration. */
export const volumeTables = [
  `CREATE TABLE volumes (
     name TEXT PRIMARY KEY,
     driver TEXT NOT NULL,
     anonymous INTEGER NOT NULL,
     created_nano INTEGER NOT NULL
   ) STRICT`,
];

interface VolumeRow {
  name: string;
  anonymous: number;
  created_nano: number | bigint;
}

const SELECT = 'SELECT name, anonymous, created_nano FROM volumes';

/** Volume names become folders: nothing that leads elsewhere. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Volumes as folders of the data root, laid out as Docker does it: `volumes/<name>/_data`. */
export class LocalVolumes implements Volumes {
  readonly #root: string;
  readonly #db: StateDb;
  readonly #logger: Logger;

  constructor(options: { root: string; db: StateDb; logger: Logger }) {
    this.#root = options.root;
    this.#db = options.db;
    this.#logger = options.logger;
  }

  path(name: string): string {
    return join(this.#folder(name), '_data');
  }

  async prepareAnonymous(): Promise<Volume> {
    const name = randomBytes(32).toString('hex');
    const path = this.path(name);
    await mkdir(this.#root, { recursive: true, mode: 0o701 });
    await mkdir(this.#folder(name), { mode: 0o701 });
    await mkdir(path);
    await chmod(path, 0o755);
    return { name, path, createdNano: nowNano(), anonymous: true };
  }

  insertions(volumes: readonly Volume[]): Statement[] {
    return volumes.map(({ name, createdNano, anonymous }) => ({
      sql: 'INSERT INTO volumes (name, driver, anonymous, created_nano) VALUES (?, ?, ?, ?)',
      params: [name, 'local', anonymous ? 1 : 0, createdNano],
    }));
  }

  removals(names: readonly string[]): Statement[] {
    return names.map((name) => ({ sql: 'DELETE FROM volumes WHERE name = ?', params: [name] }));
  }

  async list(): Promise<Volume[]> {
    const rows = await this.#db.query<VolumeRow>(`${SELECT} ORDER BY name`);
    return rows.map((row) => this.#volumeOf(row));
  }

  async get(name: string): Promise<Volume | undefined> {
    const [row] = await this.#db.query<VolumeRow>(`${SELECT} WHERE name = ?`, [name]);
    return row === undefined ? undefined : this.#volumeOf(row);
  }

  async usage(name: string): Promise<number> {
    return await diskUsage(this.path(name));
  }

  async remove(name: string): Promise<void> {
    await this.#db.transact(this.removals([name]), { usesReserve: true });
    await this.discard([name]);
  }

  async discard(names: readonly string[]): Promise<void> {
    for (const name of names) await rm(this.#folder(name), { recursive: true, force: true });
  }

  async recover(): Promise<void> {
    const rows = await this.#db.query<{ name: string }>('SELECT name FROM volumes');
    const known = new Set(rows.map(({ name }) => name));
    for (const name of await readdir(this.#root).catch(() => [])) {
      if (known.has(name)) continue;
      this.#logger.info('Removing what is left of a volume', { volume: name });
      await rm(join(this.#root, name), { recursive: true, force: true });
    }
  }

  #volumeOf({ name, anonymous, created_nano: createdNano }: VolumeRow): Volume {
    return { name, path: this.path(name), createdNano: BigInt(createdNano), anonymous: anonymous === 1 };
  }

  #folder(name: string): string {
    if (!NAME.test(name)) throw new EngineError('invalid', `Invalid volume name ${JSON.stringify(name)}`);
    return join(this.#root, name);
  }
}
