import type { GcRoots, Lease } from '../../images/store/lease-store.ts';
import type { ChainId } from '../../oci/digest.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import type { FileLayerPorts } from '../copy/make-file-layer.ts';
import type { CacheMounts } from '../execute/cache-mounts.ts';
import type { RunPorts } from '../execute/run-ports.ts';
import type { RunOptions, RunRequest, ShellOptions } from '../execute/run-request.ts';
import type { FinishedRun } from '../execute/run-step.ts';
import type { RemoteSources } from '../sources/remote-sources.ts';
import type { BuiltLayer } from './cache-record.ts';
import type { CacheStore } from './cache-store.ts';
import type { SharedWork } from './shared-work.ts';
import type { Turnstile } from './turnstile.ts';

/** What a step that is being made tells those who wait for it. */
export type StepEvent =
  | { type: 'started' }
  | { type: 'log'; stream: 1 | 2; data: Uint8Array }
  | { type: 'copied'; bytes: number };

/** What all builds of an engine share. */
export interface SolverPorts {
  snapshotter: Snapshotter;
  layers: FileLayerPorts;
  remote: RemoteSources;
  takeLease: () => Lease;
  /** Keep these from collections, in memory alone, until it is called. */
  holdRoots: (roots: GcRoots) => () => void;
  /** A layer that is here on top of another parent; the lease comes to hold it. @throws as `placeLayer`. */
  place: (
    layer: BuiltLayer,
    parent: ChainId | undefined,
    options: { lease: Lease; signal: AbortSignal },
  ) => Promise<BuiltLayer>;
  /** Remove those of these that nothing holds, once nothing does. */
  collectLater: (roots: GcRoots) => void;
  store: CacheStore;
  mounts: CacheMounts;
  runs: RunPorts;
  run: (request: RunRequest, ports: RunPorts, options: RunOptions) => Promise<FinishedRun>;
  shellBeforeStep: (request: RunRequest, ports: RunPorts, options: ShellOptions) => Promise<void>;
  shared: SharedWork<StepEvent, BuiltLayer>;
  turns: Turnstile;
}
