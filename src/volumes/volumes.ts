import type { Statement } from '../storage/state-db.ts';
import type { VolumeOptions } from './volume-options.ts';

/** A folder with a life of its own, mounted into containers. Plain data. */
export interface Volume {
  /** 64 hex digits where nobody gave it a name. */
  name: string;
  /** Folder with its content, on the host. */
  path: string;
  createdNano: bigint;
  /** Made without a name of a user's. */
  anonymous: boolean;
  /** Undefined where none were given. */
  labels: Readonly<Record<string, string>> | undefined;
  options: VolumeOptions | undefined;
  /** Of its folder, as asked for: they stay whatever an image has in its place. */
  owner: { uid: number; gid: number } | undefined;
  mode: number | undefined;
}

/** What a volume is made from. */
export interface NewVolume {
  /** Chosen where there is none. */
  name?: string | undefined;
  /** `local`, or none. */
  driver?: string | undefined;
  anonymous?: boolean;
  labels?: Readonly<Record<string, string>> | undefined;
  options?: VolumeOptions | undefined;
  owner?: { uid: number; gid: number } | undefined;
  mode?: number | undefined;
}

/**
 * Volumes of this engine. A volume's row is what makes it one: it is written and removed in the transaction of whoever makes or removes it with
 * something else, so that neither is ever without the other; a folder without a row goes at the next start.
 *
 * Whoever looks whether there is a volume of some name, and then makes, takes or removes it, does so in `exclusively`.
 */
export interface Volumes {
  /** Folder of the content of a volume of that name. */
  path(name: string): string;
  /** Run `job` alone of all that are about one of these names. */
  exclusively<T>(names: readonly string[], job: () => Promise<T>): Promise<T>;
  /**
   * What a volume would be refused for, before anything is made.
   *
   * @throws EngineError in Docker's words, "invalid" or, for a driver that isn't there, "not-found".
   */
  check(wanted: NewVolume): void;
  /** A folder for a new volume, empty, root's alone to change unless said otherwise. It is nobody's until its rows are written. @throws as `check`. */
  prepare(wanted: NewVolume): Promise<Volume>;
  /** Give a volume's folder the owner and mode that were asked for. */
  applyAttributes(volume: Volume): Promise<void>;
  /** The rows that make these volumes be there. */
  insertions(volumes: readonly Volume[]): Statement[];
  /** The rows' removal; the folders' is `discard`. */
  removals(names: readonly string[]): Statement[];
  /** Have them be there, by a transaction of their own. */
  insert(volumes: readonly Volume[]): Promise<void>;
  /** All that there are, in order of their names. */
  list(): Promise<Volume[]>;
  get(name: string): Promise<Volume | undefined>;
  /** Bytes on disk of a volume's content. */
  usage(name: string): Promise<number>;
  /** The row, then the folder. Absent is fine. */
  remove(name: string): Promise<void>;
  /** Remove the folders of volumes that have no row (any more), never what is mounted there. Absent is fine. */
  discard(names: readonly string[]): Promise<void>;
  /**
   * Have a volume's device in its place for as long as one `user` has it; the same user counts once. A volume that is a mere folder is there anyway.
   *
   * A server may take as long as it likes: say by `signal` how long that is worth while.
   *
   * @throws EngineError "internal" in Docker's words; `signal.reason` on abort, and then `user` has it not.
   */
  mount(
    volume: Pick<Volume, 'path' | 'options'>,
    user: string,
    options: { signal: AbortSignal },
  ): Promise<void>;
  /** The last user's going unmounts. Absent is fine. */
  unmount(name: string, user: string): Promise<void>;
  /** At start: remove folders that no row speaks of, adopt what is mounted for `users` (by volume) and unmount the rest. */
  recover(users: ReadonlyMap<string, readonly string[]>): Promise<void>;
}
