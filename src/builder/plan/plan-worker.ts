import { serveJobs } from '../../images/jobs/serve-jobs.ts';
import type { PlanJob, PlanJobResult } from './plan-job.ts';
import { runPlanJob } from './run-plan-job.ts';

serveJobs<PlanJob, never, PlanJobResult>((job) => runPlanJob(job), { counts: () => true });
