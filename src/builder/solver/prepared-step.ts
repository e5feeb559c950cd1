import type { Lease } from '../../images/store/lease-store.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { RunOptions } from '../execute/run-request.ts';
import type { StepEvent } from './build-ports.ts';
import type { BuiltLayer } from './cache-record.ts';

/** A step ready to be looked up or made: what its key says, and how. */
export interface PreparedStep {
  key: string;
  parent: ChainId | undefined;
  /** Why it isn't in the cache, when it isn't. */
  reason: string;
  make: (context: MakeContext & Pick<RunOptions, 'failed'> & { lease: Lease }) => Promise<BuiltLayer>;
  release: () => Promise<void>;
}

export interface MakeContext {
  signal: AbortSignal;
  tell: (event: StepEvent) => void;
}
