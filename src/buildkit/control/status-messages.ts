import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type {
  BuildDockerfile,
  BuildEvent,
  BuildTransfer,
  BuildVertex,
  BuildWarning,
} from '../../builder/build-progress.ts';
import type { StatusResponseSchema } from '../protocol/generated/control_pb.ts';
import type { RangeSchema, SourceInfoSchema } from '../protocol/generated/llb_pb.ts';

export type StatusMessage = MessageInitShape<typeof StatusResponseSchema>;

/** Of copies of the Dockerfile, one for each warning, in a message: clients take 16 MiB in all. */
const MAX_SOURCES_BYTES = 4 << 20;

const text = new TextEncoder();

/** Events as `Status` tells them; undefined: nothing of them is for it. `dockerfile`: what warnings' lines are lines of. */
export function statusOf(
  events: readonly BuildEvent[],
  dockerfile: BuildDockerfile | undefined,
): StatusMessage | undefined {
  const status = {
    vertexes: [] as ReturnType<typeof vertexOf>[],
    statuses: [] as ReturnType<typeof transferOf>[],
    logs: [] as { vertex: string; timestamp: Timestamp; stream: bigint; msg: Uint8Array }[],
    warnings: [] as ReturnType<typeof warningOf>[],
  };
  let isEmpty = true;
  let sourcesLeft = MAX_SOURCES_BYTES;
  for (const event of events) {
    if (event.type === 'vertex') status.vertexes.push(vertexOf(event.vertex));
    else if (event.type === 'transfer') status.statuses.push(transferOf(event.transfer));
    else if (event.type === 'log') {
      const { vertex, timeNano, stream, data } = event.log;
      status.logs.push({ vertex, timestamp: timestampOf(timeNano), stream: BigInt(stream), msg: data });
    } else if (event.type === 'warning') {
      sourcesLeft -= dockerfile?.data.length ?? 0;
      status.warnings.push(warningOf(event.warning, sourcesLeft < 0 ? undefined : dockerfile));
    } else continue;
    isEmpty = false;
  }
  return isEmpty ? undefined : status;
}

export function timestampOf(nano: bigint): Timestamp {
  return create(TimestampSchema, { seconds: nano / 1_000_000_000n, nanos: Number(nano % 1_000_000_000n) });
}

function vertexOf({ digest, inputs, name, cached, startedNano, completedNano, error }: BuildVertex) {
  return {
    digest,
    inputs: [...inputs],
    name,
    cached,
    error: error ?? '',
    ...(startedNano === undefined ? {} : { started: timestampOf(startedNano) }),
    ...(completedNano === undefined ? {} : { completed: timestampOf(completedNano) }),
  };
}

function transferOf(transfer: BuildTransfer) {
  const { id, vertex, name, current, total, timeNano, startedNano, completedNano } = transfer;
  return {
    id,
    vertex,
    name,
    current: BigInt(current),
    total: BigInt(total),
    timestamp: timestampOf(timeNano),
    ...(startedNano === undefined ? {} : { started: timestampOf(startedNano) }),
    ...(completedNano === undefined ? {} : { completed: timestampOf(completedNano) }),
  };
}

function warningOf(warning: BuildWarning, dockerfile: BuildDockerfile | undefined) {
  const { vertex, level, short, detail, url, lines } = warning;
  return {
    vertex: vertex ?? '',
    level: BigInt(level),
    short: text.encode(short),
    detail: detail.map((line) => text.encode(line)),
    url,
    ...(dockerfile === undefined ? {} : { info: sourceInfoOf(dockerfile) }),
    ranges: lines === undefined ? [] : [rangeOf(lines)],
  };
}

export function sourceInfoOf({ name, data }: BuildDockerfile): MessageInitShape<typeof SourceInfoSchema> {
  return { filename: name, data, language: 'Dockerfile' };
}

export function rangeOf({
  start,
  end,
}: {
  start: number;
  end: number;
}): MessageInitShape<typeof RangeSchema> {
  return { start: { line: start }, end: { line: end } };
}
