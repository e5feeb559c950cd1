import { setPriority } from 'node:os';
import { LocalContentStore } from '../content/local-content-store.ts';
import { serializeError } from '../errors/engine-error.ts';
import { DistributionClient } from '../registry/distribution-client.ts';
import type { RegistryConfig } from '../registry/registry-client.ts';
import { openLayerSink } from '../snapshots/layer-sink.ts';
import { type LayerJob, type LayerProgress, runLayerJob } from './layer-job.ts';
import type { LayerWorkerReply, LayerWorkerRequest } from './layer-worker-protocol.ts';

declare const self: Worker;

const PROGRESS_MS = 100;
/** After the last job: the next one may be on its way. */
const COLLECT_MS = 50;

// On Linux 0 is the calling thread: bulk work yields to the thread that answers requests, and to containers.
setPriority(0, 5);

const running = new Map<number, AbortController>();
let client: { config: string; registry: DistributionClient } | undefined;

self.onmessage = ({ data }: MessageEvent<LayerWorkerRequest>) => {
  if (data.kind === 'cancel') running.get(data.id)?.abort();
  else void run(data.id, data.job);
};

function reply(message: LayerWorkerReply): void {
  self.postMessage(message);
}

async function run(id: number, job: LayerJob): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const staged = await runLayerJob(job, {
      content: await LocalContentStore.open(job.contentRoot),
      registry: clientFor(job.registry),
      openSink: openLayerSink,
      signal: controller.signal,
      progress: throttled(id),
    });
    reply({ kind: 'done', id, staged });
  } catch (error) {
    reply({ kind: 'failed', id, error: serializeError(error) });
  } finally {
    running.delete(id);
    if (running.size === 0) setTimeout(collect, COLLECT_MS);
  }
}

/** What the last jobs left would stay until the next ones have doubled it. */
function collect(): void {
  if (running.size === 0) Bun.gc(true);
}

/** One client for as long as the configuration is the same: it keeps its connections. */
function clientFor(config: RegistryConfig): DistributionClient {
  const text = JSON.stringify(config);
  if (client?.config !== text) client = { config: text, registry: new DistributionClient(config) };
  return client.registry;
}

function throttled(id: number): (progress: LayerProgress) => void {
  let next = 0;
  return (progress) => {
    const now = performance.now();
    if (progress.phase === 'downloading' && now < next) return;
    next = now + PROGRESS_MS;
    reply({ kind: 'progress', id, progress });
  };
}
