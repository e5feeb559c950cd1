import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CachePolicy } from '../../builder/builder.ts';
import type { Platform } from '../../oci/platform.ts';
import type { WorkerRecordSchema } from '../protocol/generated/worker_pb.ts';

/** The engine, as clients of BuildKit see a builder. */
export interface WorkerFacts {
  id: string;
  hostname: string;
  /** What can be executed, just now: an interpreter may come while the daemon runs. */
  platforms: () => Promise<readonly Platform[]>;
  /** Address of this host in containers' networks (`--add-host x:host-gateway`); undefined where there is none. */
  hostGatewayIp: () => Promise<string | undefined>;
  /** Of the engine. */
  version: string;
}

/** The release of BuildKit whose behaviour this is: clients compare it before they use what came later. */
const BUILDKIT_VERSION = 'v0.23.2';

export function buildkitVersion({ version }: WorkerFacts): {
  package: string;
  version: string;
  revision: string;
} {
  return { package: 'sampan', version: BUILDKIT_VERSION, revision: version };
}

export async function workerRecord(
  facts: WorkerFacts,
  policies: readonly CachePolicy[] = [],
): Promise<MessageInitShape<typeof WorkerRecordSchema>> {
  const [platforms, hostGatewayIp] = [await facts.platforms(), await facts.hostGatewayIp()];
  return {
    id: facts.id,
    labels: {
      'org.mobyproject.buildkit.worker.executor': 'sampan',
      'org.mobyproject.buildkit.worker.hostname': facts.hostname,
      // By this clients know that images are kept as they come: several platforms, attestations, caches, every exporter.
      'org.mobyproject.buildkit.worker.snapshotter': 'sampan',
      ...(hostGatewayIp === undefined
        ? {}
        : { 'org.mobyproject.buildkit.worker.moby.host-gateway-ip': hostGatewayIp }),
    },
    platforms: platforms.map(({ os, architecture, variant }) => ({
      os,
      architecture,
      variant: variant ?? '',
    })),
    gcPolicy: policies.map((policy) => ({
      all: policy.all,
      keepDuration: policy.unusedForNano ?? 0n,
      filters: [...(policy.filters ?? [])],
      reservedSpace: BigInt(policy.reservedBytes),
      maxUsedSpace: BigInt(policy.maxUsedBytes),
      minFreeSpace: BigInt(policy.minFreeBytes),
    })),
    buildkitVersion: buildkitVersion(facts),
  };
}
