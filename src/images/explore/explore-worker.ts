import { serveJobs } from '../jobs/serve-jobs.ts';
import { type ExploreJob, runExploreJob } from './explore-job.ts';

serveJobs<ExploreJob, Uint8Array, void>(
  async (job, { signal, progress }) => await runExploreJob(job, { signal, write: progress }),
  { counts: () => false },
);
