import { EngineError } from '../errors/engine-error.ts';
import type { EventSink } from '../events/event.ts';
import type { VolumeBackend, VolumeView } from '../volumes/volume-backend.ts';
import type { Volume, Volumes } from '../volumes/volumes.ts';
import { publishVolumeEvent } from './container-events.ts';

export interface VolumeServiceOptions {
  volumes: Volumes;
  /** Ids of the containers that have a volume. */
  usersOf: (volume: string) => string[];
  events: EventSink;
}

/**
 * Volumes as clients see and remove them, with the containers that have them. What is in use is looked up and removed without a wait between:
 * a volume comes to be with its container's record, and no container takes one that is there already.
 */
export class VolumeService implements VolumeBackend {
  readonly #options: VolumeServiceOptions;

  constructor(options: VolumeServiceOptions) {
    this.#options = options;
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
    if (force && (await volumes.get(name)) === undefined) return;
    const { users } = await this.get(name);
    if (users.length > 0)
      throw new EngineError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
    await this.#destroy(name);
  }

  async prune(
    isWanted: (volume: VolumeView) => boolean,
    { signal }: { signal: AbortSignal },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    const { volumes, usersOf, events } = this.#options;
    const deleted: string[] = [];
    let reclaimedBytes = 0;
    for (const { name } of (await this.list()).filter(isWanted)) {
      if (signal.aborted) break;
      const size = await volumes.usage(name);
      if (usersOf(name).length > 0) continue;
      await this.#destroy(name);
      deleted.push(name);
      reclaimedBytes += size;
    }
    const attributes = { reclaimed: String(reclaimedBytes) };
    events.publish({ type: 'volume', action: 'prune', actorId: '', attributes });
    return { deleted, reclaimedBytes };
  }

  async #destroy(name: string): Promise<void> {
    await this.#options.volumes.remove(name);
    publishVolumeEvent(this.#options.events, 'destroy', name);
  }

  #view(volume: Volume): VolumeView {
    return { ...volume, users: this.#options.usersOf(volume.name) };
  }
}
