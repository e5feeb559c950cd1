import { availableParallelism } from 'node:os';
import type { Logger } from '../../errors/logger.ts';
import type { StagedLayer } from '../../snapshots/snapshotter.ts';
import { type JobOptions, JobPool } from '../jobs/job-pool.ts';
import type { LayerJob, LayerProgress } from './layer-job.ts';

export type LayerRunOptions = JobOptions<LayerProgress>;

/** Runs layer jobs, some at a time, the others in order of arrival. */
export interface LayerRunner {
  /** Jobs will come soon: get ready for the first. */
  prepare(): void;
  /** @throws as `runLayerJob`. A job that was aborted may leave its stage to the caller. */
  run(job: LayerJob, options: LayerRunOptions): Promise<StagedLayer>;
  close(): Promise<void>;
}

/** Layers in worker threads, `jobs` at a time: dockerd's `max-concurrent-downloads`. */
export function layerPool(jobs: number, logger?: Logger): LayerRunner {
  return new JobPool<LayerJob, LayerProgress, StagedLayer>({
    jobs,
    // They compute rather than wait, and each costs some 10 MB: one for each processor is as fast as one more.
    threads: Math.min(jobs, availableParallelism()),
    logger,
    makeWorker: () => new Worker(new URL('./layer-worker.ts', import.meta.url), { smol: true }),
    sizeOf: ({ descriptor }) => descriptor.size,
  });
}
