import { availableParallelism } from 'node:os';
import type { Logger } from '../../errors/logger.ts';
import { JobPool } from '../../images/jobs/job-pool.ts';
import type { Digest } from '../../oci/digest.ts';
import type { FilePlace } from '../sources/file-place.ts';
import type {
  CompressedBlob,
  FileJob,
  FileProgress,
  FileRunner,
  FileRunOptions,
  LayerOutcome,
} from './file-job.ts';
import type { FileJobResult } from './run-file-job.ts';

/** More than any thread takes beside another: who copies has one for himself. */
const WHOLE_THREAD = Number.MAX_SAFE_INTEGER / 4;

/** In worker threads, as many as there are processors. */
export function filePool(logger?: Logger): FileRunner {
  const threads = availableParallelism();
  const pool = new JobPool<FileJob, FileProgress, FileJobResult>({
    jobs: threads,
    threads,
    logger,
    makeWorker: () => new Worker(new URL('./file-worker.ts', import.meta.url), { smol: true }),
    sizeOf: () => WHOLE_THREAD,
  });
  const run = async (job: FileJob, { signal, progress }: FileRunOptions): Promise<FileJobResult> =>
    await pool.run(job, { signal, waiting: () => undefined, progress: progress ?? (() => undefined) });
  return {
    prepare: () => pool.prepare(),
    digest: async (job, options) => (await run({ kind: 'digest', ...job }, options)) as Digest,
    copy: async (job, options) => (await run({ kind: 'copy', ...job }, options)) as LayerOutcome,
    upper: async (job, options) => (await run({ kind: 'upper', ...job }, options)) as LayerOutcome,
    redate: async (job, options) => (await run({ kind: 'redate', ...job }, options)) as LayerOutcome,
    receive: async (job, options) => (await run({ kind: 'receive', ...job }, options)) as FilePlace,
    compress: async (job, options) => (await run({ kind: 'compress', ...job }, options)) as CompressedBlob,
    close: () => pool.close(),
  };
}
