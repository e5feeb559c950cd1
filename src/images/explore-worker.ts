import { type ExploreJob, runExploreJob } from './explore-job.ts';
import { serveJobs } from './serve-jobs.ts';

serveJobs<ExploreJob, Uint8Array, void>(
  async (job, { signal, progress }) => await runExploreJob(job, { signal, write: progress }),
  { counts: () => false },
);
