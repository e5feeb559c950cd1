import type { NewVolume, Volume } from './volumes.ts';

/** A volume, and who has it. */
export interface VolumeView extends Volume {
  /** Ids of the containers that mount it, running or not. */
  users: string[];
}

/** Volumes as `server/` needs them. */
export interface VolumeBackend {
  /** One that is there already is the answer, whatever it was made with. @throws EngineError in Docker's words. */
  create(wanted: NewVolume): Promise<VolumeView>;
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
  /** Remove the unused ones that `isWanted`; those that are mounted from elsewhere would free nothing, and stay. */
  prune(
    isWanted: (volume: VolumeView) => boolean,
    options: { signal: AbortSignal },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  /** What a volume holds, as a tar with the folder itself as its first member. @throws EngineError "not-found" as `get`. */
  export(name: string, options: { signal: AbortSignal }): Promise<ReadableStream<Uint8Array>>;
  /**
   * A new volume from a tar, compressed or not: whole or not at all.
   *
   * @throws EngineError "conflict" where there is one of that name, "invalid" for what no archive should be.
   */
  import(
    wanted: NewVolume,
    archive: ReadableStream<Uint8Array>,
    options: { signal: AbortSignal },
  ): Promise<VolumeView>;
  /**
   * A new volume with what another one holds, labels included, blocks shared where the file system can: whole or not at all.
   *
   * @throws EngineError "conflict" where there is one of that name, "not-found" as `get`.
   */
  clone(source: string, wanted: NewVolume, options: { signal: AbortSignal }): Promise<VolumeView>;
}
