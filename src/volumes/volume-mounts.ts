import { EngineError } from '../errors/engine-error.ts';
import { KeyedQueue } from '../storage/keyed-queue.ts';
import { abortable } from '../sys/abortable.ts';
import { BlockingCalls } from '../sys/blocking-calls.ts';
import { listMounts } from '../sys/mount.ts';
import { mountInThread } from '../sys/mount-thread.ts';
import { mountCalls, mountFailure, type VolumeOptions } from './volume-options.ts';

/** More than a few mounts on one another are no accident. */
const MAX_STACKED = 64;
/** It is taken out of the tree at once, whatever its server does; what takes longer is a fault. */
const UNMOUNT_TIMEOUT_MS = 30_000;

/** Devices of volumes, mounted while somebody has them. Who has which is kept in memory; what is mounted, the kernel knows. */
export class VolumeMounts {
  readonly #users = new Map<string, Set<string>>();
  readonly #queue = new KeyedQueue();
  readonly #unmounts = new BlockingCalls<string, boolean>(
    new URL('../sys/unmount-worker.ts', import.meta.url),
    'unmount a volume',
  );

  /** What is mounted after an abort goes again, unless somebody has it by then. @throws EngineError "internal" in Docker's words; `signal.reason`. */
  async acquire(
    path: string,
    options: VolumeOptions,
    { user, signal }: { user: string; signal: AbortSignal },
  ): Promise<void> {
    const acquired = this.#queue.run([path], async () => {
      signal.throwIfAborted();
      if (!isMounted(path)) await this.#mount(path, options, signal);
      const users = this.#users.get(path) ?? new Set();
      this.#users.set(path, users.add(user));
    });
    await abortable(acquired, signal);
  }

  /** A server may let it wait for ever: then it goes on for nobody, and holds up no other call. */
  async #mount(path: string, options: VolumeOptions, signal: AbortSignal): Promise<void> {
    const mounting = mountOptions(path, options);
    try {
      await abortable(mounting, signal);
    } catch (error) {
      if (signal.aborted) void mounting.then(() => this.#dropUnused(path)).catch(() => undefined);
      throw error;
    }
  }

  async #dropUnused(path: string): Promise<void> {
    await this.#queue.run([path], async () => {
      if ((this.#users.get(path)?.size ?? 0) === 0) await this.#unmountAll(path);
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
      await this.#unmounts.ask(path, { signal: AbortSignal.timeout(UNMOUNT_TIMEOUT_MS) });
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
