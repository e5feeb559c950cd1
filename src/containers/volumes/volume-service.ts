import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { EventSink } from '../../events/event.ts';
import { copyDirectory } from '../../snapshots/copying/copy-directory.ts';
import type { VolumeBackend, VolumeView } from '../../volumes/volume-backend.ts';
import { anonymousName } from '../../volumes/volume-name.ts';
import { isMountedVolume } from '../../volumes/volume-options.ts';
import type { NewVolume, Volume, Volumes } from '../../volumes/volumes.ts';
import { publishVolumeEvent } from '../container-events.ts';
import { inPatience } from '../mounts/source-threads.ts';
import { type Archive, readVolume, unpackVolume } from './volume-archives.ts';

export interface VolumeServiceOptions {
  volumes: Volumes;
  /** Ids of the containers that have a volume. */
  usersOf: (volume: string) => string[];
  events: EventSink;
  /** Where children mount their roots, each in its own mount namespace. */
  scratch: string;
}

/** Volumes as clients see, make and remove them, with the containers that have them. */
export class VolumeService implements VolumeBackend {
  readonly #options: VolumeServiceOptions;
  /** Volumes that are being read, and how often: they can't go. */
  readonly #read = new Map<string, number>();
  #pruning = false;

  constructor(options: VolumeServiceOptions) {
    this.#options = options;
  }

  async create(asked: NewVolume): Promise<VolumeView> {
    const { volumes } = this.#options;
    const wanted = named(asked);
    volumes.check(wanted);
    return await volumes.exclusively([wanted.name], async () => {
      const there = await volumes.get(wanted.name);
      if (there !== undefined) return this.#view(there);
      return await this.#make(wanted, async () => undefined);
    });
  }

  async list(): Promise<VolumeView[]> {
    return (await this.#options.volumes.list()).map((volume) => this.#view(volume));
  }

  async get(name: string): Promise<VolumeView> {
    const volume = await this.#options.volumes.get(name);
    if (volume === undefined) throw new EngineError('not-found', `get ${name}: no such volume`);
    return this.#view(volume);
  }

  async size(name: string): Promise<number> {
    return await this.#options.volumes.usage(name);
  }

  async remove(name: string, { force }: { force: boolean }): Promise<void> {
    const { volumes } = this.#options;
    await volumes.exclusively([name], async () => {
      if (force && (await volumes.get(name)) === undefined) return;
      const { users } = await this.get(name);
      if (users.length > 0)
        throw new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
      if (this.#read.has(name)) throw new EngineError('conflict', `remove ${name}: volume is being read`);
      await this.#destroy(name);
    });
  }

  async prune(
    isWanted: (volume: VolumeView) => boolean,
    { signal }: { signal: AbortSignal },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    if (this.#pruning) throw new EngineError('conflict', 'a prune operation is already running');
    this.#pruning = true;
    try {
      return await this.#prune((volume) => !isElsewhere(volume) && isWanted(volume), signal);
    } finally {
      this.#pruning = false;
    }
  }

  async #prune(
    isWanted: (volume: VolumeView) => boolean,
    signal: AbortSignal,
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    const { volumes, usersOf, events } = this.#options;
    const deleted: string[] = [];
    let reclaimedBytes = 0;
    for (const { name } of (await this.list()).filter(isWanted)) {
      if (signal.aborted) break;
      if (usersOf(name).length > 0) continue;
      const size = await volumes.usage(name);
      try {
        await this.remove(name, { force: false });
      } catch (error) {
        if (kindOf(error) === 'conflict' || kindOf(error) === 'not-found') continue;
        throw error;
      }
      deleted.push(name);
      reclaimedBytes += size;
    }
    const attributes = { reclaimed: String(reclaimedBytes) };
    events.publish({ type: 'volume', action: 'prune', actorId: '', attributes });
    return { deleted, reclaimedBytes };
  }

  async export(name: string, { signal }: { signal: AbortSignal }): Promise<ReadableStream<Uint8Array>> {
    const held = await this.#hold(name, { signal });
    try {
      return readVolume(held.volume.path, { signal, done: held.release });
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  async import(asked: NewVolume, archive: Archive, { signal }: { signal: AbortSignal }): Promise<VolumeView> {
    return await this.#makeNew(asked, (volume) => unpackVolume(volume.path, archive, signal));
  }

  async clone(source: string, asked: NewVolume, { signal }: { signal: AbortSignal }): Promise<VolumeView> {
    const { scratch } = this.#options;
    const { volume, release } = await this.#hold(source, { signal });
    try {
      const wanted = { ...asked, labels: asked.labels ?? volume.labels };
      return await this.#makeNew(wanted, ({ path }) =>
        copyDirectory({ from: volume.path, to: path, scratch, sync: true }, signal),
      );
    } finally {
      await release();
    }
  }

  /** @throws EngineError "conflict" where there is one of that name. */
  async #makeNew(asked: NewVolume, fill: (volume: Volume) => Promise<void>): Promise<VolumeView> {
    const { volumes } = this.#options;
    const wanted = named(asked);
    volumes.check(wanted);
    return await volumes.exclusively([wanted.name], async () => {
      if ((await volumes.get(wanted.name)) !== undefined)
        throw new EngineError('conflict', `create ${wanted.name}: a volume of that name is there already`);
      return await this.#make(wanted, fill);
    });
  }

  /** Filled, then there: until its row is written it is nobody's. */
  async #make(wanted: NewVolume, fill: (volume: Volume) => Promise<void>): Promise<VolumeView> {
    const { volumes, events } = this.#options;
    const volume = await volumes.prepare(wanted);
    try {
      await fill(volume);
      await volumes.applyAttributes(volume);
      await volumes.insert([volume]);
    } catch (error) {
      await volumes.discard([volume.name]);
      throw error;
    }
    publishVolumeEvent(events, 'create', volume.name);
    return this.#view(volume);
  }

  /** Keep a volume there, and mounted where it has a device, until `release`. */
  async #hold(
    name: string,
    waiting: { signal: AbortSignal },
  ): Promise<{ volume: Volume; release: () => Promise<void> }> {
    const { volumes } = this.#options;
    const user = `reading ${anonymousName()}`;
    const volume = await volumes.exclusively([name], async () => {
      const found = await this.get(name);
      this.#read.set(name, (this.#read.get(name) ?? 0) + 1);
      return found;
    });
    const release = async (): Promise<void> => {
      const left = (this.#read.get(name) ?? 0) - 1;
      if (left > 0) this.#read.set(name, left);
      else this.#read.delete(name);
      await volumes.unmount(name, user);
    };
    try {
      await inPatience(volume.path, waiting, (signal) => volumes.mount(volume, user, { signal }));
      return { volume, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #destroy(name: string): Promise<void> {
    await this.#options.volumes.remove(name);
    publishVolumeEvent(this.#options.events, 'destroy', name);
  }

  #view(volume: Volume): VolumeView {
    return { ...volume, users: this.#options.usersOf(volume.name) };
  }
}

function named(wanted: NewVolume): NewVolume & { name: string } {
  return wanted.name === undefined
    ? { ...wanted, name: anonymousName(), anonymous: true }
    : { ...wanted, name: wanted.name };
}

function isElsewhere({ options }: Volume): boolean {
  return options !== undefined && isMountedVolume(options);
}
