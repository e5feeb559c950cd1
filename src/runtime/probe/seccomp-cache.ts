import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { RuntimeSpec } from '../runtime-spec.ts';
import type { Proof, ProvenBinary } from './proven-binary.ts';

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
  binary: Pick<ProvenBinary, 'proof' | 'distrust'>;
  stateDirectory: string;
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
 * Used only with the very binary whose trial showed that it loads such a filter. Filters are kept in memory alone and come from the
 * runtime's own state, which is open to nobody else.
 */
export class SeccompCache {
  readonly #options: SeccompCacheOptions;
  readonly #filters = new Map<string, Buffer>();
  #proof: Proof | undefined;

  constructor(options: SeccompCacheOptions) {
    this.#options = options;
  }

  prepare(spec: RuntimeSpec): PreparedSpec {
    const key = keyOf(spec);
    if (key === undefined) return { spec, key, filter: undefined };
    const filter = this.#trusted() ? this.#filters.get(key) : undefined;
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
    if (key === undefined || (filter === undefined && (this.#proof === undefined || this.#filters.has(key))))
      return;
    const loaded = this.#loaded(containerId);
    if (filter === undefined) {
      if (loaded !== undefined && loaded.length > 0) this.#keep(key, loaded);
      return;
    }
    if (loaded?.equals(filter) === true) return;
    this.#options.binary.distrust();
    throw new EngineError('internal', 'The OCI runtime did not load the seccomp filter of the container');
  }

  /** What another file has compiled is forgotten. */
  #trusted(): boolean {
    const proof = this.#options.binary.proof();
    if (proof !== this.#proof) {
      this.#proof = proof;
      this.#filters.clear();
      if (proof !== undefined) this.#keep(proof.filter.key, proof.filter.filter);
    }
    return proof !== undefined;
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
