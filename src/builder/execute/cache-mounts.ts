import { chmod, chown, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { ChainId } from '../../oci/digest.ts';
import { resolveInRoot } from '../../runtime/spec/root-path.ts';
import { diskUsage } from '../../storage/disk-usage.ts';
import { KeyedQueue } from '../../storage/keyed-queue.ts';
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

const CACHE_MOUNT = 'exec.cachemount';

interface WantedCache extends AskedCache {
  signal: AbortSignal;
}

/** A cache mount of a step, and what a new folder of it begins with. */
export interface AskedCache {
  mount: CacheMount;
  seed: ChainId | undefined;
  /** The step's command, for people. */
  command: string;
  /** What caches of elsewhere have under a key, as a chain of one layer; undefined: none has. */
  imported: ((key: string) => Promise<ChainId | undefined>) | undefined;
}

export interface HeldCaches {
  /** In the order of the mounts. */
  directories: string[];
  release(): Promise<void>;
}

interface HeldCache {
  directory: string;
  release(): Promise<void>;
}

/** The folders of `RUN --mount=type=cache`: durable, records of the build cache. */
export class CacheMounts {
  readonly #options: CacheMountOptions;
  /** By record: who has it locked, each waiting for the one before. */
  readonly #locks = new Map<string, Promise<void>>();
  /** By what a mount asks for: finding or making its record, and holding it, is one step. */
  readonly #choosing = new KeyedQueue();

  constructor(options: CacheMountOptions) {
    this.#options = options;
  }

  /** Remove folders that no record owns, and records whose folder never came to be. */
  async recover(): Promise<void> {
    const { directory, store } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = new Set(await readdir(directory));
    await store.remove(store.records().filter(({ id, kind }) => kind === CACHE_MOUNT && !names.has(id)));
    for (const name of names)
      if (store.get(name) === undefined) await rm(join(directory, name), { recursive: true, force: true });
  }

  path(id: string): string {
    return join(this.#options.directory, id);
  }

  /**
   * The folders of a step's mounts: `locked` waits until nobody else has it so, `private` takes one that nobody uses. Mounts of one cache share its
   * folder; locks are taken in one order, so that no two steps wait for each other.
   *
   * @throws the signal's reason.
   */
  async acquire(asked: readonly AskedCache[], signal: AbortSignal): Promise<HeldCaches> {
    const keys = asked.map(cacheKey);
    const held = new Map<string, HeldCache>();
    const release = async (): Promise<void> => {
      for (const cache of [...held.values()].reverse()) await cache.release();
    };
    try {
      for (const key of [...new Set(keys)].sort()) {
        const same = asked.filter((_, at) => keys[at] === key);
        const wanted = same.find(({ mount }) => mount.sharing === 'locked') ?? same[0];
        if (wanted !== undefined) held.set(key, await this.#hold(key, { ...wanted, signal }));
      }
    } catch (error) {
      await release();
      throw error;
    }
    return { directories: keys.map((key) => held.get(key)?.directory ?? ''), release };
  }

  async #hold(base: string, wanted: WantedCache): Promise<HeldCache> {
    const { store } = this.#options;
    const { mount, signal } = wanted;
    const { record, letGo } = await this.#choosing.run([base], async () => {
      const chosen = await this.#record(base, wanted);
      return { record: chosen, letGo: store.hold(chosen.id) };
    });
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

  /** The folder that a mount has come to, kept from prunes until it is released; undefined: none has. A private one is whichever came first. */
  holdFound(key: string): { directory: string; release: () => void } | undefined {
    const { store } = this.#options;
    const record = store.find(key);
    return record === undefined
      ? undefined
      : { directory: this.path(record.id), release: store.hold(record.id) };
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
    wanted.signal.throwIfAborted();
    return await this.#make(key, wanted);
  }

  /** The folder first, under a name of its own. A record that a kill leaves without one goes at the next start. */
  async #make(
    key: string,
    { mount, command, imported, signal, ...wanted }: WantedCache,
  ): Promise<CacheRecord> {
    const { directory, store } = this.#options;
    const stage = join(directory, `new-${digestOf(key).slice(7, 27)}`);
    await rm(stage, { recursive: true, force: true });
    await mkdir(stage, { recursive: true, mode: 0o755 });
    const seed = seedOf({ mount, seed: wanted.seed });
    const known = await imported?.(key);
    if (known !== undefined) await this.#options.withChain(known, (root) => copyTree(root, stage), signal);
    else if (seed !== undefined) {
      const fill = async (root: string): Promise<void> => copyTree(resolveInRoot(root, mount.source), stage);
      await this.#options.withChain(seed, fill, signal);
    }
    if (seed === undefined) {
      await chown(stage, mount.uid, mount.gid);
      await chmod(stage, mount.mode);
    }
    const record = await store.add({
      key,
      kind: CACHE_MOUNT,
      parent: undefined,
      layer: undefined,
      sizeBytes: 0,
      description: `cached mount ${mount.target} from exec ${command} with id ${JSON.stringify(`/${mount.id}`)}`,
    });
    await rename(stage, this.path(record.id));
    return record;
  }

  async #lock(id: string, signal: AbortSignal): Promise<() => void> {
    const before = this.#locks.get(id) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine = before.then(() => promise);
    this.#locks.set(id, mine);
    // Who gives up waiting leaves those before it in place.
    void mine.then(() => {
      if (this.#locks.get(id) === mine) this.#locks.delete(id);
    });
    const unlock = (): void => resolve();
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

/** As in BuildKit: whoever says whose a cache is gets an empty one of its own, unless he names a folder to begin with, which has an owner. */
function seedOf({ mount, seed }: Pick<AskedCache, 'mount' | 'seed'>): ChainId | undefined {
  return hasOwner(mount) && mount.source === '/' ? undefined : seed;
}

/** Other than by default. */
export function hasOwner({ uid, gid, mode }: CacheMount): boolean {
  return uid !== 0 || gid !== 0 || mode !== 0o755;
}

/** What another says of the owner or of the beginning is another cache. */
export function cacheKey({ mount, seed }: Pick<AskedCache, 'mount' | 'seed'>): string {
  const begins = [mount.id, seed ?? '', seed === undefined ? '' : mount.source];
  const owned = hasOwner(mount) && mount.source === '/' ? [mount.uid, mount.gid, mount.mode] : [];
  return `mount:${digestOf([...begins, ...owned])}`;
}

/** A stage's files keep owners, modes, times, links. */
async function copyTree(source: string, target: string): Promise<void> {
  const child = spawnDetached(['cp', '-a', '--', `${source}/.`, target], { stdio: [], cwd: '/' });
  const code = await child.exited;
  if (code !== 0) throw new EngineError('internal', `Cannot fill a cache mount: cp ended with ${code}`);
}
