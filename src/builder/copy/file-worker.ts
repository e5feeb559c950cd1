import { serveJobs } from '../../images/jobs/serve-jobs.ts';
import type { FileJob, FileProgress } from './file-job.ts';
import { type FileJobResult, runFileJob } from './run-file-job.ts';

serveJobs<FileJob, FileProgress, FileJobResult>((job, context) => runFileJob(job, context), {
  counts: () => true,
});
