import type { MessageInitShape } from '@bufbuild/protobuf';
import type { BuildCacheRecord, Builder } from '../../builder/builder.ts';
import type { GrpcCall, Implementation } from '../grpc/grpc-server.ts';
import {
  BuildHistoryEventType,
  type Control,
  type UsageRecordSchema,
} from '../protocol/generated/control_pb.ts';
import { BytesDuplex } from '../session/bytes-duplex.ts';
import type { SessionStore } from '../session/session-store.ts';
import type { BuildJob } from './build-job.ts';
import type { JobChange } from './build-jobs.ts';
import type { BuildRuns } from './build-runs.ts';
import { statusOf, timestampOf } from './status-messages.ts';
import { buildkitVersion, type WorkerFacts, workerRecord } from './worker-record.ts';

export interface ControlPorts {
  builder: Builder;
  runs: BuildRuns;
  sessions: SessionStore;
  worker: WorkerFacts;
}

type Handlers = Implementation<typeof Control>;

/** `moby.buildkit.v1.Control`: builds, their progress, the cache. */
export function controlService({ builder, runs, sessions, worker }: ControlPorts): Handlers {
  return {
    solve: async (request, { signal }) => ({ exporterResponse: await runs.solve(request, signal) }),
    status: ({ ref }, call) => status(runs, ref, call),
    session: (messages, call) => session(sessions, messages, call),
    listWorkers: async () => ({ record: [await workerRecord(worker, await builder.cachePolicies())] }),
    info: async () => ({ buildkitVersion: buildkitVersion(worker) }),
    diskUsage: async ({ filter, ageLimit }) => ({
      record: (await builder.cache({ filters: filter, unusedForNano: ageOf(ageLimit) })).map(usageRecord),
    }),
    prune: (request, call) => prune(builder, request, call),
    listenBuildHistory: (request, call) => history(runs, request, call),
    updateBuildHistory: async ({ ref, delete: isGone }) => {
      if (isGone && runs.jobs.find(ref)?.endedNano !== undefined) runs.jobs.forget(ref);
      return {};
    },
  };
}

async function* status(runs: BuildRuns, ref: string, { signal }: GrpcCall) {
  const job = await runs.jobs.get(ref, signal);
  for await (const events of job.events(signal)) {
    const message = statusOf(events, job.dockerfile);
    if (message !== undefined) yield message;
  }
}

/** A session whose connection is a call: for clients that speak HTTP/2 from the start. */
async function* session(
  sessions: SessionStore,
  messages: AsyncIterable<{ data: Uint8Array }>,
  { metadata, signal }: GrpcCall,
) {
  const duplex = new BytesDuplex(messages);
  const end = (): void => void duplex.destroy();
  signal.addEventListener('abort', end, { once: true });
  const served = sessions.serve(duplex, metadata);
  served.catch(() => duplex.destroy());
  for await (const data of duplex.sent()) yield { data };
  await served;
}

interface PruneAsked {
  all: boolean;
  filter: string[];
  keepDuration: bigint;
  reservedSpace: bigint;
  maxUsedSpace: bigint;
  minFreeSpace: bigint;
}

async function* prune(builder: Builder, asked: PruneAsked, { signal }: GrpcCall) {
  const space = {
    reservedBytes: Number(asked.reservedSpace),
    maxUsedBytes: Number(asked.maxUsedSpace),
    minFreeBytes: Number(asked.minFreeSpace),
  };
  const gone: BuildCacheRecord[] = [];
  await builder.pruneCache(
    { all: asked.all, ...space, filters: asked.filter, unusedForNano: ageOf(asked.keepDuration) },
    { signal, pruned: (record) => void gone.push(record) },
  );
  for (const record of gone) yield usageRecord(record);
}

function ageOf(nano: bigint): bigint | undefined {
  return nano > 0n ? nano : undefined;
}

function usageRecord(record: BuildCacheRecord): MessageInitShape<typeof UsageRecordSchema> {
  const { id, type, description, inUse, mutable, shared, sizeBytes, usageCount, parents } = record;
  const { createdNano, lastUsedNano } = record;
  return {
    id,
    mutable,
    recordType: type,
    description,
    inUse,
    shared,
    size: BigInt(sizeBytes),
    usageCount: BigInt(usageCount),
    parents: [...parents],
    createdAt: timestampOf(createdNano),
    ...(lastUsedNano === undefined ? {} : { lastUsedAt: timestampOf(lastUsedNano) }),
  };
}

async function* history(runs: BuildRuns, asked: HistoryAsked, { signal }: GrpcCall) {
  const isAsked = (job: BuildJob): boolean => !job.isInternal && (asked.ref === '' || job.ref === asked.ref);
  // Before the list: what changes while that is sent comes after it.
  const changes = runs.jobs.changes(asked.earlyExit ? AbortSignal.abort() : signal);
  const jobs = runs.jobs.list().filter(isAsked);
  const shown = jobs.filter((job) => !asked.activeOnly || job.endedNano === undefined);
  for (const job of asked.limit > 0 ? shown.slice(-asked.limit) : shown)
    yield historyEvent(job, job.endedNano === undefined ? 'begun' : 'ended');
  for await (const { job, change } of changes) if (isAsked(job)) yield historyEvent(job, change);
}

interface HistoryAsked {
  activeOnly: boolean;
  ref: string;
  earlyExit: boolean;
  limit: number;
}

const EVENT_TYPES: Readonly<Record<JobChange, BuildHistoryEventType>> = {
  begun: BuildHistoryEventType.STARTED,
  ended: BuildHistoryEventType.COMPLETE,
  forgotten: BuildHistoryEventType.DELETED,
};

function historyEvent(job: BuildJob, change: JobChange) {
  const { ref, startedNano, endedNano, result, error, counts } = job;
  return {
    type: EVENT_TYPES[change],
    record: {
      ref,
      frontend: 'dockerfile.v0',
      createdAt: timestampOf(startedNano),
      exporterResponse: result?.metadata ?? {},
      numTotalSteps: counts.total,
      numCompletedSteps: counts.completed,
      numCachedSteps: counts.cached,
      numWarnings: counts.warnings,
      ...(endedNano === undefined ? {} : { completedAt: timestampOf(endedNano) }),
      ...(error === undefined ? {} : { error: { code: 2, message: error.message } }),
    },
  };
}
