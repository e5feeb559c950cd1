import type { StagedLayer } from '../snapshots/snapshotter.ts';
import type { LayerJob, LayerProgress } from './layer-job.ts';

export interface LayerRunOptions {
  signal: AbortSignal;
  /** The job had to wait for its turn. */
  waiting: () => void;
  progress: (progress: LayerProgress) => void;
}

/** Runs layer jobs, some at a time, the others in order of arrival. */
export interface LayerRunner {
  /** Jobs will come soon: get ready for the first. */
  prepare(): void;
  /** @throws as `runLayerJob`. A job that was aborted may leave its stage to the caller. */
  run(job: LayerJob, options: LayerRunOptions): Promise<StagedLayer>;
  close(): Promise<void>;
}
