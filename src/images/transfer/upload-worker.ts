import { LocalContentStore } from '../../content/local-content-store.ts';
import { DistributionPushClient } from '../../registry/client/distribution-push-client.ts';
import type { RegistryConfig } from '../../registry/client/registry-client.ts';
import { serveJobs, threadLogger } from '../jobs/serve-jobs.ts';
import { runUploadJob, type UploadJob, type UploadProgress } from './upload-job.ts';

let client: { config: string; registry: DistributionPushClient } | undefined;

/** One client for as long as the configuration is the same: it keeps its tokens and connections. */
function clientFor(config: RegistryConfig): DistributionPushClient {
  const text = JSON.stringify(config);
  if (client?.config !== text)
    client = { config: text, registry: new DistributionPushClient(config, { logger: threadLogger }) };
  return client.registry;
}

serveJobs<UploadJob, UploadProgress, void>(
  async (job, { signal, progress }) =>
    await runUploadJob(job, {
      content: await LocalContentStore.open(job.contentRoot),
      registry: clientFor(job.registry),
      signal,
      progress,
    }),
  { counts: (progress) => 'sentBytes' in progress },
);
