import type { Logger } from '../../errors/logger.ts';
import type { RegistryPushClient } from '../../registry/client/push-client.ts';
import type { RegistryConfig } from '../../registry/client/registry-client.ts';
import { type JobOptions, JobPool } from '../jobs/job-pool.ts';
import type { UploadJob, UploadProgress } from './upload-job.ts';

/** Runs uploads, some at a time, the others in order of arrival. */
export interface UploadRunner {
  /** How many at a time. */
  readonly jobs: number;
  /** @throws as `runUploadJob`. */
  run(job: UploadJob, options: JobOptions<UploadProgress>): Promise<void>;
  close(): Promise<void>;
}

/** Uploads in worker threads, `jobs` at a time: dockerd's `max-concurrent-uploads`. */
export function uploadPool(jobs: number, logger?: Logger): UploadRunner {
  return new JobPool<UploadJob, UploadProgress, void>({
    jobs,
    logger,
    makeWorker: () => new Worker(new URL('./upload-worker.ts', import.meta.url)),
    sizeOf: ({ blob }) => blob.size,
  });
}

/** `client`, but blobs of the content store are sent by `uploads`: their bytes don't come into this thread. */
export function withUploads(
  client: RegistryPushClient,
  {
    uploads,
    contentRoot,
    registry,
  }: { uploads: UploadRunner; contentRoot: string; registry: RegistryConfig },
): RegistryPushClient {
  return {
    blobExists: (...request) => client.blobExists(...request),
    mountBlob: (...request) => client.mountBlob(...request),
    putManifest: (...request) => client.putManifest(...request),
    uploadBlob: async (repository, { descriptor }, options) => {
      const { credentials, tlsVerify, signal, onProgress, onRetry } = options;
      const { digest, size } = descriptor;
      const blob = { digest, size };
      await uploads.run(
        { contentRoot, registry, repository, credentials, tlsVerify, blob },
        {
          signal,
          waiting: () => undefined,
          progress: (step) => {
            if ('sentBytes' in step) onProgress?.(step.sentBytes);
            else onRetry?.(step.pauseMs);
          },
        },
      );
    },
  };
}
