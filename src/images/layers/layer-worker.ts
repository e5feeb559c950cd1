import { LocalContentStore } from '../../content/local-content-store.ts';
import { DistributionClient } from '../../registry/client/distribution-client.ts';
import type { RegistryConfig } from '../../registry/client/registry-client.ts';
import { openLayerSink } from '../../snapshots/layer-sink.ts';
import type { StagedLayer } from '../../snapshots/snapshotter.ts';
import { serveJobs, threadLogger } from '../jobs/serve-jobs.ts';
import { type LayerJob, type LayerProgress, runLayerJob } from './layer-job.ts';

let client: { config: string; registry: DistributionClient } | undefined;

/** One client for as long as the configuration is the same: it keeps its connections. */
function clientFor(config: RegistryConfig): DistributionClient {
  const text = JSON.stringify(config);
  if (client?.config !== text)
    client = { config: text, registry: new DistributionClient(config, { logger: threadLogger }) };
  return client.registry;
}

serveJobs<LayerJob, LayerProgress, StagedLayer>(
  async (job, { signal, progress }) =>
    await runLayerJob(job, {
      content: await LocalContentStore.open(job.contentRoot),
      registry: clientFor(job.registry),
      openSink: openLayerSink,
      signal,
      progress,
    }),
  { counts: ({ phase }) => phase === 'downloading' },
);
