import type { SerializedError } from '../errors/engine-error.ts';
import type { StagedLayer } from '../snapshots/snapshotter.ts';
import type { LayerJob, LayerProgress } from './layer-job.ts';

export type LayerWorkerRequest = { kind: 'run'; job: LayerJob } | { kind: 'cancel' };

export type LayerWorkerReply =
  | { kind: 'progress'; progress: LayerProgress }
  | { kind: 'done'; staged: StagedLayer }
  | { kind: 'failed'; error: SerializedError };
