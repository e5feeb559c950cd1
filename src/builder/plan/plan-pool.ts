import { EngineError } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { JobPool } from '../../images/jobs/job-pool.ts';
import type { PlanJob, PlanJobResult, PlanRunner } from './plan-job.ts';

/** The worst files that the parser's bounds let through take some seconds. */
const MAX_PLAN_MS = 60_000;
/** More than any thread takes beside another: nobody's file waits behind a hostile one while a thread is free. */
const WHOLE_THREAD = Number.MAX_SAFE_INTEGER / 4;

/** In worker threads, two at a time. */
export function planPool(logger?: Logger): PlanRunner {
  const pool = new JobPool<PlanJob, never, PlanJobResult>({
    jobs: 2,
    threads: 2,
    logger,
    makeWorker: () => new Worker(new URL('./plan-worker.ts', import.meta.url), { smol: true }),
    sizeOf: () => WHOLE_THREAD,
  });
  return {
    prepare: () => pool.prepare(),
    run: async (job, { signal }) => {
      const late = new AbortController();
      const tooLong = new EngineError(
        'invalid',
        `Cannot plan this Dockerfile within ${MAX_PLAN_MS / 1000} s`,
      );
      const timer = setTimeout(() => late.abort(tooLong), MAX_PLAN_MS);
      try {
        const both = AbortSignal.any([signal, late.signal]);
        return await pool.run(job, { signal: both, waiting: () => undefined, progress: () => undefined });
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => pool.close(),
  };
}
