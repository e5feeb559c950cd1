import { chmod, chown, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
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
import { FolderShares } from './folder-shares.ts';

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

/** A record that no prune takes until it is let go. */
interface ChosenCache {
  record: CacheRecord;
  letGo: () => void;
}

/** The folders of `RUN --mount=type=cache`: durable, records of the build cache. */
export class CacheMounts {
  readonly #options: CacheMountOptions;
  readonly #shares = new FolderShares();
  /** By what a mount asks for: finding or making its record, and holding it, is one step. */
  readonly #choosing = new KeyedQueue();
  #measured: Promise<void> = Promise.resolve();
  #isMeasured = true;
  #isClosed = false;

  constructor(options: CacheMountOptions) {
    this.#options = options;
  }

  /** Remove folders that no record owns, and records whose folder never came to be. Sizes that a killed daemon didn't write follow. */
  async recover(): Promise<void> {
    const { directory, store } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = new Set(await readdir(directory));
    await store.remove(store.records().filter(({ id, kind }) => kind === CACHE_MOUNT && !names.has(id)));
    for (const name of names)
      if (store.get(name) === undefined) await rm(join(directory, name), { recursive: true, force: true });
    const isKnown = await exists(this.#sizesFile);
    await rm(this.#sizesFile, { force: true });
    // A start doesn't wait for it.
    if (!isKnown) this.#measured = this.#measureAll();
  }

  /** Resolves once every record's size is that of its folder, as of its last use. */
  get measured(): Promise<void> {
    return this.#measured;
  }

  /** After the store is closed: what it has written are the sizes. */
  async close(): Promise<void> {
    if (this.#isMeasured) await writeFile(this.#sizesFile, '');
    this.#isClosed = true;
  }

  /** There only while no daemon runs, and only where the last one has written all sizes. */
  get #sizesFile(): string {
    return `${this.#options.directory}.measured`;
  }

  async #measureAll(): Promise<void> {
    this.#isMeasured = false;
    for (const record of this.#options.store.records())
      if (record.kind === CACHE_MOUNT && !this.#isClosed) await this.#measure(record);
    this.#isMeasured = !this.#isClosed;
  }

  async #measure(record: CacheRecord): Promise<void> {
    const { store, logger } = this.#options;
    try {
      store.setSize(record, await diskUsage(this.path(record.id)));
    } catch (error) {
      logger.debug('Cannot measure a cache mount', { error: messageOf(error) });
    }
  }

  path(id: string): string {
    return join(this.#options.directory, id);
  }

  /**
   * The folders of a step's mounts, as BuildKit shares them: `shared` joins others of its kind; what one has as `locked` or `private` is nobody else's.
   * Where no folder is to be had, `locked` waits for one, the others get a new one. Mounts of one step that name the same cache share its folder; caches
   * are taken in one order, so that no two steps wait for each other.
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
    const { sharing } = wanted.mount;
    for (;;) {
      const found = await this.#choosing.run([base], async () => {
        wanted.signal.throwIfAborted();
        const chosen = this.#choose(base, sharing);
        if (chosen !== undefined) return { chosen };
        // Waited for from this very moment: a release that comes next isn't missed.
        if (sharing === 'locked' && this.#records(base).length > 0)
          return { change: this.#shares.change(base, wanted.signal) };
        return { chosen: await this.#makeNext(base, wanted) };
      });
      if (found.chosen !== undefined) return this.#use(base, found.chosen);
      await found.change;
    }
  }

  #use(base: string, { record, letGo }: ChosenCache): HeldCache {
    this.#options.store.touch(record);
    const release = async (): Promise<void> => {
      this.#shares.leave(record.id);
      this.#shares.tell(base);
      await this.#measure(record);
      letGo();
    };
    return { directory: this.path(record.id), release };
  }

  /** Found and held without a wait in between. */
  #choose(base: string, sharing: CacheMount['sharing']): ChosenCache | undefined {
    const { store } = this.#options;
    const found = this.#records(base);
    const joined = found.find(({ id }) => sharing === 'shared' && this.#shares.isShared(id));
    const record = joined ?? found.find(({ id }) => this.#shares.isFree(id));
    if (record === undefined) return undefined;
    this.#shares.enter(record.id, sharing);
    return { record, letGo: store.hold(record.id) };
  }

  /** One more. */
  async #makeNext(base: string, wanted: WantedCache): Promise<ChosenCache> {
    let at = 0;
    while (this.#options.store.find(keyAt(base, at)) !== undefined) at++;
    const made = await this.#make(keyAt(base, at), wanted);
    this.#shares.enter(made.record.id, wanted.mount.sharing);
    return made;
  }

  /** The folders of one cache, first made first. */
  #records(base: string): CacheRecord[] {
    const all = this.#options.store.records();
    return all.filter(({ key }) => key === base || key.startsWith(`${base}:`)).sort(byKey);
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

  /** The folder first, under a name of its own. A record that a kill leaves without one goes at the next start. */
  async #make(
    key: string,
    { mount, command, imported, signal, ...wanted }: WantedCache,
  ): Promise<ChosenCache> {
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
    const { record, release } = await store.addHeld({
      key,
      kind: CACHE_MOUNT,
      parent: undefined,
      layer: undefined,
      sizeBytes: 0,
      description: `cached mount ${mount.target} from exec ${command} with id ${JSON.stringify(`/${mount.id}`)}`,
    });
    try {
      await rename(stage, this.path(record.id));
    } catch (error) {
      release();
      throw error;
    }
    return { record, letGo: release };
  }
}

function keyAt(base: string, at: number): string {
  return at === 0 ? base : `${base}:${at}`;
}

/** Shorter ones have smaller numbers. */
function byKey({ key: one }: CacheRecord, { key: other }: CacheRecord): number {
  return one.length - other.length || (one < other ? -1 : 1);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
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
