import { expect, test } from 'bun:test';
import { create } from '@bufbuild/protobuf';
import type { BuildCachePrune, Builder } from '../../builder/builder.ts';
import type { GrpcCall } from '../grpc/grpc-server.ts';
import {
  BuildHistoryEventType,
  BuildHistoryRequestSchema,
  ListWorkersRequestSchema,
  PruneRequestSchema,
} from '../protocol/generated/control_pb.ts';
import type { SessionStore } from '../session/session-store.ts';
import { BuildJobs } from './build-jobs.ts';
import type { BuildRuns } from './build-runs.ts';
import { controlService } from './control-service.ts';

const { STARTED, COMPLETE, DELETED } = BuildHistoryEventType;
const GIB = 2 ** 30;
const asked: BuildCachePrune[] = [];
const jobs = new BuildJobs();
const service = controlService({
  builder: {
    pruneCache: async (prune) => {
      asked.push(prune);
      return { deleted: [], reclaimedBytes: 0 };
    },
    cachePolicies: async () => [
      { all: true, reservedBytes: 1, maxUsedBytes: 3 * GIB, minFreeBytes: 2, filters: ['type==regular'] },
    ],
  } as Partial<Builder> as Builder,
  runs: { jobs } as Partial<BuildRuns> as BuildRuns,
  sessions: {} as SessionStore,
  worker: {
    id: 'id',
    hostname: 'host',
    platforms: async () => [],
    hostGatewayIp: async () => undefined,
    version: '1',
  },
}) as Required<ReturnType<typeof controlService>>;
const call = (signal: AbortSignal): GrpcCall => ({ signal }) as Partial<GrpcCall> as GrpcCall;
const never = new AbortController().signal;

test('a prune passes all three limits on', async () => {
  const request = { all: true, reservedSpace: 1n, maxUsedSpace: 2n, minFreeSpace: 3n, keepDuration: 4n };
  await Array.fromAsync(service.prune(create(PruneRequestSchema, request), call(never)));
  expect(asked).toEqual([
    { all: true, reservedBytes: 1, maxUsedBytes: 2, minFreeBytes: 3, filters: [], unusedForNano: 4n },
  ]);
});

test('the worker tells the rules of the collection', async () => {
  const { record = [] } = await service.listWorkers(create(ListWorkersRequestSchema), call(never));
  expect(record.map(({ gcPolicy }) => gcPolicy)).toEqual([
    [
      {
        all: true,
        keepDuration: 0n,
        filters: ['type==regular'],
        reservedSpace: 1n,
        maxUsedSpace: BigInt(3 * GIB),
        minFreeSpace: 2n,
      },
    ],
  ]);
});

test('a history goes on until its listener leaves, unless it asks for what is there', async () => {
  const events = (earlyExit: boolean, signal: AbortSignal) =>
    service.listenBuildHistory(create(BuildHistoryRequestSchema, { earlyExit }), call(signal));
  jobs.begin('old').end({}, 1n);
  expect(await Array.fromAsync(events(true, never))).toHaveLength(1);
  const leaving = new AbortController();
  const heard: unknown[] = [];
  const listening = (async () => {
    for await (const { type, record } of events(false, leaving.signal))
      heard.push([record?.ref, type, record?.numTotalSteps]);
  })();
  await Bun.sleep(1);
  const job = jobs.begin('new');
  await Bun.sleep(1);
  const vertex = { digest: 'a' as never, inputs: [], name: 'a', cached: false, completedNano: 1n };
  job.tell({ type: 'vertex', vertex });
  job.end({}, 2n);
  await Bun.sleep(1);
  jobs.forget('new');
  await Bun.sleep(1);
  jobs.begin('own question', { isInternal: true });
  await Bun.sleep(1);
  leaving.abort();
  await listening;
  expect(heard).toEqual([
    ['old', COMPLETE, 0],
    ['new', STARTED, 0],
    ['new', COMPLETE, 1],
    ['new', DELETED, 1],
  ]);
});
