import { LocalContentStore } from '../content/local-content-store.ts';
import { serializeError } from '../errors/engine-error.ts';
import { DistributionClient } from '../registry/distribution-client.ts';
import type { RegistryConfig } from '../registry/registry-client.ts';
import { openLayerSink } from '../snapshots/layer-sink.ts';
import { type LayerJob, type LayerProgress, runLayerJob } from './layer-job.ts';
import type { LayerWorkerReply, LayerWorkerRequest } from './layer-worker-protocol.ts';

declare const self: Worker;

const PROGRESS_MS = 100;

let running: AbortController | undefined;
let client: { config: string; registry: DistributionClient } | undefined;

self.onmessage = (event: MessageEvent<LayerWorkerRequest>) => {
  if (event.data.kind === 'cancel') running?.abort();
  else void run(event.data.job);
};

function reply(message: LayerWorkerReply): void {
  self.postMessage(message);
}

async function run(job: LayerJob): Promise<void> {
  const controller = new AbortController();
  running = controller;
  try {
    const staged = await runLayerJob(job, {
      content: await LocalContentStore.open(job.contentRoot),
      registry: clientFor(job.registry),
      openSink: openLayerSink,
      signal: controller.signal,
      progress: throttled(),
    });
    reply({ kind: 'done', staged });
  } catch (error) {
    reply({ kind: 'failed', error: serializeError(error) });
  } finally {
    running = undefined;
  }
}

/** One client for as long as the configuration is the same: it keeps its connections. */
function clientFor(config: RegistryConfig): DistributionClient {
  const text = JSON.stringify(config);
  if (client?.config !== text) client = { config: text, registry: new DistributionClient(config) };
  return client.registry;
}

function throttled(): (progress: LayerProgress) => void {
  let next = 0;
  return (progress) => {
    const now = performance.now();
    if (progress.phase === 'downloading' && now < next) return;
    next = now + PROGRESS_MS;
    reply({ kind: 'progress', progress });
  };
}
