import { type JobOptions, JobPool } from './job-pool.ts';
import type { UploadJob, UploadProgress } from './upload-job.ts';

/** Runs uploads, some at a time, the others in order of arrival. */
export interface UploadRunner {
  /** @throws as `runUploadJob`. */
  run(job: UploadJob, options: JobOptions<UploadProgress>): Promise<void>;
  close(): Promise<void>;
}

/** Uploads in worker threads, `jobs` at a time: dockerd's `max-concurrent-uploads`. */
export function uploadPool(jobs: number): UploadRunner {
  return new JobPool<UploadJob, UploadProgress, void>({
    jobs,
    makeWorker: () => new Worker(new URL('./upload-worker.ts', import.meta.url)),
    sizeOf: ({ blob }) => blob.size,
  });
}
