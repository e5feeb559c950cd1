import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { bindReadonly, listMounts, unmountIfMounted } from '../../sys/mount.ts';
import type { CompiledSeccomp } from './seccomp-cache.ts';

export interface ProvenBinaryOptions {
  /** The runtime's binary, as found. */
  path: string;
  /** Where it is mounted read-only, ours alone; undefined: nowhere, as others would see that mount. */
  mountDirectory: string | undefined;
  /** Whether the file, as it is when this is called, is crun and enforces a filter that is handed over; the filter it was seen with. */
  trial: () => Promise<CompiledSeccomp | undefined>;
  logger: Logger;
}

/** What a trial has shown of the very file that lies there now. */
export interface Proof {
  filter: CompiledSeccomp;
  /** What to execute: the file, through a read-only mount where there is one. */
  executable: string;
}

/**
 * The OCI runtime's binary and what it was seen to do. What makes starts faster relies on crun's ways, so it is done only with the file
 * that was tried; a file that has changed is tried, and mounted, again.
 *
 * Read-only, because crun otherwise makes such a mount of itself and executes itself anew at each call (2 to 3 ms), so that no container
 * can write to it through `/proc/<pid>/exe` (libcrun/cloned_binary.c, CVE-2019-5736).
 */
export class ProvenBinary {
  readonly #options: ProvenBinaryOptions;
  #identity: string | undefined;
  #proof: Proof | undefined;
  #trial: Promise<void> | undefined;
  /** Each in a folder of its own, as a monitor may yet execute the one before. */
  #mounts = 0;

  constructor(options: ProvenBinaryOptions) {
    this.#options = options;
  }

  /** Try the file as it is now. Until that has been done there is no proof. Never rejects. */
  async warm(): Promise<void> {
    this.#identify();
    await this.idle();
  }

  /** Resolves when no trial is under way. */
  async idle(): Promise<void> {
    await this.#trial;
  }

  /** Undefined when the file was not tried, has changed since, or is another runtime's. */
  proof(): Proof | undefined {
    if (this.#trial !== undefined) this.#identify();
    return this.#proof;
  }

  /** It did not do what the trial had shown: no more tricks with this file. */
  distrust(): void {
    this.#proof = undefined;
  }

  async close(): Promise<void> {
    await this.idle();
    this.#proof = undefined;
    this.#unmountAll();
  }

  /** Look whether the file is still the one that was tried, and start a trial when it isn't. */
  #identify(): void {
    const identity = identityOf(this.#options.path);
    if (identity === this.#identity) return;
    this.#identity = identity;
    this.#proof = undefined;
    if (identity === undefined) return;
    this.#trial = (this.#trial ?? Promise.resolve()).then(() => this.#try(identity));
  }

  async #try(identity: string): Promise<void> {
    const { path, trial, logger } = this.#options;
    try {
      const filter = await trial();
      if (filter === undefined || this.#identity !== identity || identityOf(path) !== identity) return;
      this.#proof = { filter, executable: this.#mountReadonly(identity) ?? path };
    } catch (error) {
      logger.debug('the OCI runtime is used without shortcuts', { path, reason: messageOf(error) });
    }
  }

  /** Undefined where it can't be: the file itself will do. */
  #mountReadonly(identity: string): string | undefined {
    const { path, mountDirectory, logger } = this.#options;
    if (mountDirectory === undefined) return undefined;
    try {
      // The daemon before us may have left its own.
      if (this.#mounts === 0) this.#unmountAll();
      const folder = join(mountDirectory, String(++this.#mounts));
      const target = join(folder, basename(path));
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(target, '', { mode: 0o600 });
      bindReadonly(path, target);
      if (identityOf(target) === identity) return target;
    } catch (error) {
      logger.debug('the OCI runtime is not mounted read-only', { path, reason: messageOf(error) });
    }
    return undefined;
  }

  #unmountAll(): void {
    const { mountDirectory } = this.#options;
    if (mountDirectory === undefined || !existsSync(mountDirectory)) return;
    // As the kernel names it.
    const place = `${realpathSync(mountDirectory)}/`;
    for (const { target } of listMounts()) {
      if (target.startsWith(place)) unmountIfMounted(target, { detach: true });
    }
    rmSync(mountDirectory, { recursive: true, force: true });
  }
}

/** Size and times too: a file that is overwritten in place keeps its inode. Undefined when it is gone. */
function identityOf(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file === undefined
    ? undefined
    : [file.dev, file.ino, file.size, file.mtimeNs, file.ctimeNs].join(' ');
}
