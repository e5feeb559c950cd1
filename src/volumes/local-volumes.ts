import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { diskUsage } from '../storage/disk-usage.ts';
import { KeyedQueue } from '../storage/keyed-queue.ts';
import type { StateDb, Statement } from '../storage/state-db.ts';
import { nowNano } from '../sys/clock.ts';
import type { Ids } from '../sys/id-map.ts';
import { VolumeMounts } from './volume-mounts.ts';
import { anonymousName, checkVolumeName, isVolumeName } from './volume-name.ts';
import { checkVolumeOptions, isMountedVolume } from './volume-options.ts';
import { insertVolume, SELECT_VOLUMES, type VolumeRow, volumeOf } from './volume-rows.ts';
import type { NewVolume, Volume, Volumes } from './volumes.ts';

/** Volumes as folders of the data root, laid out as Docker does it: `volumes/<name>/_data`. */
export class LocalVolumes implements Volumes {
  readonly #root: string;
  readonly #db: StateDb;
  readonly #logger: Logger;
  readonly #owner: Ids | undefined;
  readonly #queue = new KeyedQueue();
  readonly #mounts = new VolumeMounts();

  /** `owner`: of new ones, where they name none; default: the host's root. */
  constructor(options: { root: string; db: StateDb; logger: Logger; owner?: Ids | undefined }) {
    this.#owner = options.owner;
    this.#root = options.root;
    this.#db = options.db;
    this.#logger = options.logger;
  }

  path(name: string): string {
    return join(this.#folder(name), '_data');
  }

  exclusively<T>(names: readonly string[], job: () => Promise<T>): Promise<T> {
    return this.#queue.run(names, job);
  }

  check({ name, driver = '', options }: NewVolume): void {
    if (!['', 'local'].includes(driver))
      throw new EngineError(
        'not-found',
        `create ${name ?? anonymousName()}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      );
    try {
      if (name !== undefined) checkVolumeName(name);
      if (options !== undefined) checkVolumeOptions(options);
    } catch (error) {
      throw new EngineError(kindOf(error), `create ${name ?? anonymousName()}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  async prepare(wanted: NewVolume): Promise<Volume> {
    this.check(wanted);
    const { name = anonymousName(), labels, options, owner, mode } = wanted;
    const anonymous = wanted.anonymous ?? wanted.name === undefined;
    const path = this.path(name);
    await mkdir(this.#root, { recursive: true, mode: 0o701 });
    // What a creation before a crash has left, if anything: no row speaks of it.
    if (!anonymous) await this.discard([name]);
    await mkdir(this.#folder(name), { mode: 0o701 });
    await mkdir(path);
    const volume: Volume = {
      name,
      path,
      createdNano: nowNano(),
      anonymous,
      labels,
      options,
      owner,
      mode,
    };
    await chmod(path, 0o755);
    if (this.#owner !== undefined) await chown(path, this.#owner.uid, this.#owner.gid);
    await this.applyAttributes(volume);
    return volume;
  }

  async applyAttributes({ path, owner, mode }: Volume): Promise<void> {
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    if (mode !== undefined) await chmod(path, mode);
  }

  insertions(volumes: readonly Volume[]): Statement[] {
    return volumes.map(insertVolume);
  }

  async insert(volumes: readonly Volume[]): Promise<void> {
    await this.#db.transact(this.insertions(volumes));
  }

  removals(names: readonly string[]): Statement[] {
    return names.map((name) => ({ sql: 'DELETE FROM volumes WHERE name = ?', params: [name] }));
  }

  async list(): Promise<Volume[]> {
    const rows = await this.#db.query<VolumeRow>(`${SELECT_VOLUMES} ORDER BY name`);
    return rows.map((row) => volumeOf(row, this.path(row.name)));
  }

  async get(name: string): Promise<Volume | undefined> {
    const [row] = await this.#db.query<VolumeRow>(`${SELECT_VOLUMES} WHERE name = ?`, [name]);
    return row === undefined ? undefined : volumeOf(row, this.path(row.name));
  }

  async usage(name: string): Promise<number> {
    return await diskUsage(this.path(name));
  }

  async remove(name: string): Promise<void> {
    await this.#db.transact(this.removals([name]), { usesReserve: true });
    await this.discard([name]);
  }

  async discard(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#mounts.clear(this.path(name));
      await rm(this.#folder(name), { recursive: true, force: true });
    }
  }

  async mount(
    { path, options }: Pick<Volume, 'path' | 'options'>,
    user: string,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    if (options === undefined || !isMountedVolume(options)) return;
    await this.#mounts.acquire(path, options, { user, signal });
  }

  async unmount(name: string, user: string): Promise<void> {
    await this.#mounts.release(this.path(name), user);
  }

  async recover(users: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const known = new Map((await this.list()).map((volume) => [volume.name, volume]));
    for (const { name, path, options } of known.values()) {
      const own = users.get(name) ?? [];
      if (options === undefined || !isMountedVolume(options)) continue;
      if (own.length > 0) this.#mounts.adopt(path, own);
      else await this.#attempt(name, () => this.#mounts.clear(path));
    }
    for (const name of await readdir(this.#root).catch(() => [])) {
      if (known.has(name) || !isVolumeName(name)) continue;
      this.#logger.info('Removing what is left of a volume', { volume: name });
      await this.#attempt(name, () => this.discard([name]));
    }
  }

  /** One volume that can't be cleared away, on a server that doesn't answer, say, keeps no daemon from its start. */
  async #attempt(volume: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#logger.warn('Cannot clear away a volume', { volume, error: messageOf(error) });
    }
  }

  #folder(name: string): string {
    if (!isVolumeName(name)) throw new EngineError('invalid', `Invalid volume name ${JSON.stringify(name)}`);
    return join(this.#root, name);
  }
}
