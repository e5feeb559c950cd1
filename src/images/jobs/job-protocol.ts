import type { SerializedError } from '../../errors/engine-error.ts';
import type { LogFields } from '../../errors/logger.ts';

/** `id` names a job within its worker. */
export type JobRequest<Job> = { kind: 'run'; id: number; job: Job } | { kind: 'cancel'; id: number };

export type JobReply<Progress, Result> =
  | { kind: 'progress'; id: number; progress: Progress }
  | { kind: 'done'; id: number; result: Result }
  | { kind: 'failed'; id: number; error: SerializedError }
  /** For the log, whichever job it came of. */
  | { kind: 'warning'; message: string; fields: LogFields };
