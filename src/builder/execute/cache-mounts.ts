import { chmod, chown, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { ChainId } from '../../oci/digest.ts';
import { resolveInRoot } from '../../runtime/spec/root-path.ts';
import { diskUsage } from '../../storage/disk-usage.ts';
import { spawnDetached } from '../../sys/spawn.ts';
import type { StepMount } from '../plan/build-step.ts';
import { digestOf } from '../plan/step-id.ts';
import type { CacheRecord } from '../solver/cache-record.ts';
import type { CacheStore } from '../solver/cache-store.ts';

type CacheMount = Extract<StepMount, { type: 'cache' }>;

export interface CacheMountOptions {
  /** Ours alone, in the data root. */
  directory: string;
  store: CacheStore;
  withChain: ChainMounter;
  logger: Logger;
}

/** A chain, mounted while `use` runs: what a new cache begins with. */
export type ChainMounter = (
  chain: ChainId,
  use: (root: string) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;

interface WantedCache {
  mount: CacheMount;
  seed: ChainId | undefined;
  signal: AbortSignal;
}

export interface HeldCache {
  directory: string;
  release(): Promise<void>;
}

/** The folders of `RUN --mount=type=cache`: durable, records of the build cache. */
export class CacheMounts {
  readonly #options: CacheMountOptions;
  /** By record: who has it locked, each waiting for the one before. */
  readonly #locks = new Map<string, Promise<void>>();
  readonly #making = new Map<string, Promise<CacheRecord>>();

  constructor(options: CacheMountOptions) {
    this.#options = options;
  }

  /** Remove folders that no record owns. */
  async recover(): Promise<void> {
    const { directory, store } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory))
      if (store.get(name) === undefined) await rm(join(directory, name), { recursive: true, force: true });
  }

  path(id: string): string {
    return join(this.#options.directory, id);
  }

  /**
   * The folder of a mount: `locked` waits until nobody else has it so, `private` takes one that nobody uses.
   *
   * @throws the signal's reason.
   */
  async acquire(mount: CacheMount, seed: ChainId | undefined, signal: AbortSignal): Promise<HeldCache> {
    const base = `mount:${digestOf([mount.id, seed ?? '', seed === undefined ? '' : mount.source])}`;
    const record = await this.#record(base, { mount, seed, signal });
    const { store } = this.#options;
    const letGo = store.hold(record.id);
    let unlock = (): void => undefined;
    try {
      if (mount.sharing === 'locked') unlock = await this.#lock(record.id, signal);
    } catch (error) {
      letGo();
      throw error;
    }
    store.touch(record);
    const release = async (): Promise<void> => {
      try {
        store.setSize(record, await diskUsage(this.path(record.id)));
      } catch (error) {
        this.#options.logger.debug('Cannot measure a cache mount', { error: messageOf(error) });
      } finally {
        unlock();
        letGo();
      }
    };
    return { directory: this.path(record.id), release };
  }

  async remove(records: readonly CacheRecord[]): Promise<void> {
    await Promise.all(records.map(({ id }) => rm(this.path(id), { recursive: true, force: true })));
  }

  async #record(base: string, wanted: WantedCache): Promise<CacheRecord> {
    if (wanted.mount.sharing !== 'private') return await this.#findOrMake(base, wanted);
    for (let at = 0; ; at++) {
      const key = at === 0 ? base : `${base}:${at}`;
      const found = this.#options.store.find(key);
      if (found === undefined || !this.#options.store.inUse(found.id))
        return found ?? (await this.#findOrMake(key, wanted));
    }
  }

  async #findOrMake(key: string, wanted: WantedCache): Promise<CacheRecord> {
    const found = this.#options.store.find(key);
    if (found !== undefined) return found;
    const known = this.#making.get(key);
    if (known !== undefined) return await known;
    const making = this.#make(key, wanted).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return await making;
  }

  /** The folder first under a name of its own: a record without folder would be worse than the reverse. */
  async #make(key: string, { mount, seed, signal }: WantedCache): Promise<CacheRecord> {
    const { directory, store } = this.#options;
    const stage = join(directory, `new-${digestOf(key).slice(7, 27)}`);
    await rm(stage, { recursive: true, force: true });
    await mkdir(stage, { recursive: true, mode: 0o755 });
    if (seed !== undefined) {
      const fill = async (root: string): Promise<void> => copyTree(resolveInRoot(root, mount.source), stage);
      await this.#options.withChain(seed, fill, signal);
    } else {
      await chown(stage, mount.uid, mount.gid);
      await chmod(stage, mount.mode);
    }
    const record = await store.add({
      key,
      kind: 'exec.cachemount',
      parent: undefined,
      layer: undefined,
      sizeBytes: 0,
      description: `cached mount ${mount.target} from exec with id ${JSON.stringify(mount.id)}`,
    });
    await rename(stage, this.path(record.id));
    return record;
  }

  async #lock(id: string, signal: AbortSignal): Promise<() => void> {
    const before = this.#locks.get(id) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine = before.then(() => promise);
    this.#locks.set(id, mine);
    const unlock = (): void => {
      resolve();
      if (this.#locks.get(id) === mine) this.#locks.delete(id);
    };
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      await Promise.race([before, aborted.promise]);
      return unlock;
    } catch (error) {
      unlock();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

/** A stage's files keep owners, modes, times, links. */
async function copyTree(source: string, target: string): Promise<void> {
  const child = spawnDetached(['cp', '-a', '--', `${source}/.`, target], { stdio: [], cwd: '/' });
  const code = await child.exited;
  if (code !== 0) throw new EngineError('internal', `Cannot fill a cache mount: cp ended with ${code}`);
}
