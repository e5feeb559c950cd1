import type { Ids } from '../../sys/id-map.ts';

/** Shared memory (`/dev/shm`) that several containers see: a tmpfs on the host for each container that lets others join its IPC namespace. */
export interface SharedMemory {
  /** Make it, for a container that starts, whose root `owner` is on the host. Idempotent. @returns where it is mounted. */
  mount(containerId: string, sizeBytes: number, owner?: Ids): Promise<string>;
  /** Those who still have it keep it. Absent is fine. */
  unmount(containerId: string): Promise<void>;
  path(containerId: string): string;
  /** At the daemon's start: what belongs to none of these goes. */
  recover(keep: ReadonlySet<string>): Promise<void>;
}
