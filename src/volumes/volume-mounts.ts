import { EngineError } from '../errors/engine-error.ts';
import { KeyedQueue } from '../storage/keyed-queue.ts';
import { listMounts } from '../sys/mount.ts';
import { mountInThread } from '../sys/mount-thread.ts';
import { UnmountThread } from '../sys/unmount-thread.ts';
import { mountCalls, mountFailure, type VolumeOptions } from './volume-options.ts';

/** More than a few mounts on one another are no accident. */
const MAX_STACKED = 64;

/** Devices of volumes, mounted while somebody has them. Who has which is kept in memory; what is mounted, the kernel knows. */
export class VolumeMounts {
  readonly #users = new Map<string, Set<string>>();
  readonly #queue = new KeyedQueue();
  readonly #thread = new UnmountThread();

  /** @throws EngineError "internal" in Docker's words. */
  async acquire(path: string, options: VolumeOptions, user: string): Promise<void> {
    await this.#queue.run([path], async () => {
      const users = this.#users.get(path) ?? new Set();
      if (!isMounted(path)) await mountOptions(path, options);
      this.#users.set(path, users.add(user));
    });
  }

  async release(path: string, user: string): Promise<void> {
    await this.#queue.run([path], async () => {
      const users = this.#users.get(path);
      if (users?.delete(user) !== true || users.size > 0) return;
      this.#users.delete(path);
      await this.#unmountAll(path);
    });
  }

  /** What is mounted there stays, for these. */
  adopt(path: string, users: readonly string[]): void {
    this.#users.set(path, new Set(users));
  }

  /** Whoever has it: nothing is mounted there any more. */
  async clear(path: string): Promise<void> {
    await this.#queue.run([path], async () => {
      this.#users.delete(path);
      if (isMounted(path)) await this.#unmountAll(path);
    });
  }

  async #unmountAll(path: string): Promise<void> {
    for (let count = 0; isMounted(path); count++) {
      if (count === MAX_STACKED)
        throw new EngineError('internal', `Cannot unmount ${path}: it stays mounted`);
      await this.#thread.unmount(path);
    }
  }
}

async function mountOptions(path: string, options: VolumeOptions): Promise<void> {
  let calls: Awaited<ReturnType<typeof mountCalls>> = [];
  try {
    calls = await mountCalls(options, path);
    await mountInThread(calls);
  } catch (error) {
    throw mountFailure(path, calls, error);
  }
}

function isMounted(path: string): boolean {
  return listMounts().some(({ target }) => target === path);
}
