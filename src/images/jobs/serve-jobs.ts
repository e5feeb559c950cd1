import { setPriority } from 'node:os';
import { serializeError } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import type { JobReply, JobRequest } from './job-protocol.ts';

declare const self: Worker;

const PROGRESS_MS = 100;
/** After the last job: the next one may be on its way. */
const COLLECT_MS = 50;

/** Warnings of this thread, told by the thread that made it. */
export const threadLogger: Logger = {
  ...silentLogger,
  warn: (message, fields = {}) => {
    const reply: JobReply<never, never> = { kind: 'warning', message, fields };
    self.postMessage(reply);
  },
};

export interface JobContext<Progress> {
  signal: AbortSignal;
  progress: (progress: Progress) => void;
}

/**
 * The inside of a `JobThread`: run what is asked for, tell how it goes. Of the progress that `counts` says only counts on, some is left out.
 */
export function serveJobs<Job, Progress, Result>(
  run: (job: Job, context: JobContext<Progress>) => Promise<Result>,
  { counts }: { counts: (progress: Progress) => boolean },
): void {
  // On Linux 0 is the calling thread: bulk work yields to the thread that answers requests, and to containers.
  setPriority(0, 5);
  const running = new Map<number, AbortController>();
  const reply = (message: JobReply<Progress, Result>): void => self.postMessage(message);
  const serve = async (id: number, job: Job): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    const progress = throttled(counts, (step) => reply({ kind: 'progress', id, progress: step }));
    try {
      reply({ kind: 'done', id, result: await run(job, { signal: controller.signal, progress }) });
    } catch (error) {
      reply({ kind: 'failed', id, error: serializeError(error) });
    } finally {
      running.delete(id);
      if (running.size === 0) setTimeout(collect, COLLECT_MS);
    }
  };
  /** What the last jobs left would stay until the next ones have made as much again. */
  const collect = (): void => {
    if (running.size === 0) Bun.gc(true);
  };
  self.onmessage = ({ data }: MessageEvent<JobRequest<Job>>) => {
    if (data.kind === 'cancel') running.get(data.id)?.abort();
    else void serve(data.id, data.job);
  };
}

function throttled<Progress>(
  counts: (progress: Progress) => boolean,
  tell: (progress: Progress) => void,
): (progress: Progress) => void {
  let next = 0;
  return (progress) => {
    const now = performance.now();
    if (counts(progress) && now < next) return;
    next = now + PROGRESS_MS;
    tell(progress);
  };
}
