import type { Volume } from './volumes.ts';

/** A volume, and who has it. */
export interface VolumeView extends Volume {
  /** Ids of the containers that mount it, running or not. */
  users: string[];
}

/** Volumes as `server/` needs them. */
export interface VolumeBackend {
  /** In order of their names. */
  list(): Promise<VolumeView[]>;
  /** @throws EngineError "not-found" `get x: no such volume`. */
  get(name: string): Promise<VolumeView>;
  /** Bytes on disk of its content. */
  size(name: string): Promise<number>;
  /**
   * Remove a volume that no container has. `force`: absent is fine.
   *
   * @throws EngineError "conflict" in Docker's words, "not-found" as `get`.
   */
  remove(name: string, options: { force: boolean }): Promise<void>;
  /** Remove the unused ones that `isWanted`. */
  prune(
    isWanted: (volume: VolumeView) => boolean,
    options: { signal: AbortSignal },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }>;
}
