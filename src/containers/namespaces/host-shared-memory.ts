import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoCodeOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { Ids } from '../../sys/id-map.ts';
import { mount, mountFlags, unmountIfMounted } from '../../sys/mount.ts';
import type { SharedMemory } from './shared-memory.ts';

/** Mounts below one folder of the exec root, named after their containers. */
export class HostSharedMemory implements SharedMemory {
  readonly #directory: string;
  readonly #logger: Logger;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  path(containerId: string): string {
    return join(this.#directory, containerId);
  }

  async mount(containerId: string, sizeBytes: number, owner: Ids = { uid: 0, gid: 0 }): Promise<string> {
    const target = this.path(containerId);
    await this.unmount(containerId);
    await mkdir(target, { recursive: true, mode: 0o700 });
    const flags = mountFlags.nosuid | mountFlags.nodev | mountFlags.noexec;
    const data = `mode=1777,size=${sizeBytes},uid=${owner.uid},gid=${owner.gid}`;
    mount({ source: 'shm', target, type: 'tmpfs', flags, data });
    return target;
  }

  async unmount(containerId: string): Promise<void> {
    const target = this.path(containerId);
    while (unmountIfMounted(target, { detach: true }));
    try {
      await rmdir(target);
    } catch (error) {
      if (errnoCodeOf(error) !== 'ENOENT') throw error;
    }
  }

  async recover(keep: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names.filter((one) => !keep.has(one))) {
      try {
        await this.unmount(name);
      } catch (error) {
        const details = { container: name, error: messageOf(error) };
        this.#logger.warn('Cannot remove the shared memory of a container that is gone', details);
      }
    }
  }
}
