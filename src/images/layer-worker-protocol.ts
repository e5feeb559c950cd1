import type { SerializedError } from '../errors/engine-error.ts';
import type { StagedLayer } from '../snapshots/snapshotter.ts';
import type { LayerJob, LayerProgress } from './layer-job.ts';

/** `id` names a job within its worker. */
export type LayerWorkerRequest = { kind: 'run'; id: number; job: LayerJob } | { kind: 'cancel'; id: number };

export type LayerWorkerReply =
  | { kind: 'progress'; id: number; progress: LayerProgress }
  | { kind: 'done'; id: number; staged: StagedLayer }
  | { kind: 'failed'; id: number; error: SerializedError };
