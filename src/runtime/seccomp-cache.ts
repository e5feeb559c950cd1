import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { RuntimeSpec } from './runtime-spec.ts';

/** crun's: a compiled filter, base64, in the place of `linux.seccomp`. */
export const SECCOMP_ANNOTATION = 'run.oci.seccomp_bpf_data';
/** Where crun leaves the filter that it loads into a container, in the container's state. */
export const SECCOMP_FILE = 'seccomp.bpf';
/** Annotations with this prefix change what crun does with a profile. */
const ANNOTATION_PREFIX = 'run.oci.seccomp';
/** A key is some 10 KB. */
const MAX_FILTERS = 32;

export interface CompiledSeccomp {
  /** `linux.seccomp` as JSON: profile, capabilities, architecture and kernel are resolved in it. */
  key: string;
  filter: Buffer;
}

export interface SeccompCacheOptions {
  binaryPath: string;
  stateDirectory: string;
  /** Whether this very binary enforces a filter that is handed over, seen in a container; the filter it was seen with. */
  trial: () => Promise<CompiledSeccomp | undefined>;
  logger: Logger;
}

/** A spec as the runtime is to get it, and what that was made from. */
export interface PreparedSpec {
  spec: RuntimeSpec;
  key: string | undefined;
  /** The filter that was handed over. */
  filter: Buffer | undefined;
}

/**
 * Filters that the OCI runtime has compiled once, so that it needn't compile the same profile for each container (14 to 19 ms).
 *
 * Used only with the very binary whose trial showed that it loads such a filter; a changed file is tried again. Filters are kept in
 * memory alone and come from the runtime's own state, which is open to nobody else.
 */
export class SeccompCache {
  readonly #options: SeccompCacheOptions;
  readonly #filters = new Map<string, Buffer>();
  #identity: string | undefined;
  #trusted = false;
  #trial: Promise<void> | undefined;

  constructor(options: SeccompCacheOptions) {
    this.#options = options;
  }

  /** Try the binary as it is now. Until that has been done, nothing is handed over. Never rejects. */
  async warm(): Promise<void> {
    this.#identify();
    await this.idle();
  }

  /** Resolves when no trial is under way. */
  async idle(): Promise<void> {
    await this.#trial;
  }

  prepare(spec: RuntimeSpec): PreparedSpec {
    const key = keyOf(spec);
    if (key === undefined) return { spec, key, filter: undefined };
    if (this.#trial !== undefined) this.#identify();
    const filter = this.#trusted ? this.#filters.get(key) : undefined;
    return { spec: filter === undefined ? spec : withFilter(spec, filter), key, filter };
  }

  /**
   * Call once the container is there and before its command runs: learns what the runtime compiled, or makes sure that it took what it
   * was given.
   *
   * @throws EngineError "internal" when it did not: the container must not be started.
   */
  settle(containerId: string, prepared: PreparedSpec): void {
    const { key, filter } = prepared;
    if (key === undefined || (filter === undefined && (!this.#trusted || this.#filters.has(key)))) return;
    const loaded = this.#loaded(containerId);
    if (filter === undefined) {
      if (loaded !== undefined && loaded.length > 0) this.#keep(key, loaded);
      return;
    }
    if (loaded?.equals(filter) === true) return;
    this.#trusted = false;
    throw new EngineError('internal', 'The OCI runtime did not load the seccomp filter of the container');
  }

  /** Look whether the binary is still the one that was tried, and start a trial when it isn't. */
  #identify(): void {
    const identity = identityOf(this.#options.binaryPath);
    if (identity === this.#identity) return;
    this.#identity = identity;
    this.#trusted = false;
    this.#filters.clear();
    if (identity === undefined) return;
    this.#trial = (this.#trial ?? Promise.resolve()).then(() => this.#try(identity));
  }

  async #try(identity: string): Promise<void> {
    const { trial, binaryPath, logger } = this.#options;
    try {
      const seen = await trial();
      if (seen === undefined || this.#identity !== identity || identityOf(binaryPath) !== identity) return;
      this.#trusted = true;
      this.#keep(seen.key, seen.filter);
    } catch (error) {
      logger.debug('seccomp filters are compiled for each container', { reason: messageOf(error) });
    }
  }

  #keep(key: string, filter: Buffer): void {
    const [oldest] = this.#filters.keys();
    if (this.#filters.size >= MAX_FILTERS && oldest !== undefined) this.#filters.delete(oldest);
    this.#filters.set(key, filter);
  }

  #loaded(containerId: string): Buffer | undefined {
    try {
      return readFileSync(join(this.#options.stateDirectory, containerId, SECCOMP_FILE));
    } catch {
      return undefined;
    }
  }
}

/** Undefined when the profile is more than a filter, or annotations meddle with it: then the runtime gets the spec as it is. */
export function keyOf(spec: RuntimeSpec): string | undefined {
  const { seccomp } = spec.linux;
  if (seccomp === undefined) return undefined;
  if ('flags' in seccomp || 'listenerPath' in seccomp || 'listenerMetadata' in seccomp) return undefined;
  if (Object.keys(spec.annotations ?? {}).some((name) => name.startsWith(ANNOTATION_PREFIX)))
    return undefined;
  return JSON.stringify(seccomp);
}

export function withFilter(spec: RuntimeSpec, filter: Buffer): RuntimeSpec {
  const { seccomp: _compiled, ...linux } = spec.linux;
  return {
    ...spec,
    linux,
    annotations: { ...spec.annotations, [SECCOMP_ANNOTATION]: filter.toString('base64') },
  };
}

/** Undefined when the file is gone. */
function identityOf(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file === undefined
    ? undefined
    : [file.dev, file.ino, file.size, file.mtimeNs, file.ctimeNs].join(' ');
}
