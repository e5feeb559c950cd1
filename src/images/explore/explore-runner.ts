import type { Logger } from '../../errors/logger.ts';
import { JobPool } from '../jobs/job-pool.ts';
import type { ExploreJob } from './explore-job.ts';

/** Looks into images, elsewhere than in the thread that answers requests. */
export interface ExploreRunner {
  /** The answer's JSON in pieces. @throws as `runExploreJob`. */
  run(job: ExploreJob, options: { signal: AbortSignal }): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** More than any thread takes beside another: a look into an image has one for itself. */
const WHOLE_THREAD = Number.MAX_SAFE_INTEGER / 4;

/** In worker threads, two at a time. */
export function explorePool(logger?: Logger): ExploreRunner {
  const pool = new JobPool<ExploreJob, Uint8Array, void>({
    jobs: 2,
    threads: 2,
    logger,
    makeWorker: () => new Worker(new URL('./explore-worker.ts', import.meta.url)),
    sizeOf: () => WHOLE_THREAD,
  });
  return {
    run: async (job, { signal }) => {
      const pieces: Uint8Array[] = [];
      await pool.run(job, { signal, waiting: () => undefined, progress: (piece) => pieces.push(piece) });
      return pieces;
    },
    close: () => pool.close(),
  };
}
