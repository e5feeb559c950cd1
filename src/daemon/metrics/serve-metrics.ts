import { readdirSync } from 'node:fs';
import { readHostFacts } from '../../sys/host.ts';
import { buildInfo } from '../build-info.ts';
import type { Engine } from '../engine.ts';
import { type EngineFacts, EngineMetrics } from './engine-metrics.ts';
import { type MetricsAddress, MetricsServer } from './metrics-server.ts';

export interface ServedMetrics {
  /** Told of each call of the API. */
  metrics: EngineMetrics;
  close(): Promise<void>;
}

/** @throws EngineError "conflict" when the address can't be had. */
export async function serveMetrics(
  address: MetricsAddress,
  engine: Engine,
  engineId: string,
): Promise<ServedMetrics> {
  const metrics = new EngineMetrics();
  const startedSeconds = Date.now() / 1000 - process.uptime();
  const server = await MetricsServer.listen(address, () =>
    Promise.resolve(metrics.text(factsOf(engine, engineId, startedSeconds))),
  );
  return { metrics, close: () => server.close() };
}

function factsOf(engine: Engine, engineId: string, startedSeconds: number): EngineFacts {
  const host = readHostFacts();
  const { user, system } = process.cpuUsage();
  return {
    containers: engine.containers.counts(),
    images: engine.images.count(),
    events: engine.events.counts,
    eventListeners: engine.events.listeners,
    garbage: engine.images.garbage,
    namespaces: engine.networks.namespaceCounts,
    openFiles: readdirSync('/proc/self/fd').length,
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1e6,
    startedSeconds,
    info: {
      architecture: host.architecture,
      commit: buildInfo.gitCommit,
      daemon_id: engineId,
      graphdriver: engine.snapshotter.driver,
      kernel: host.kernelVersion,
      os: host.operatingSystem,
      os_type: 'linux',
      os_version: host.osVersion,
      version: buildInfo.version,
    },
    cpus: host.cpus,
    memoryBytes: host.memoryBytes,
  };
}
