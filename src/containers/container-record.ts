import type { ContainerConfig, ContainerImage, HostOptions } from './container.ts';
import type { VolumeMount } from './container-volumes.ts';

/** What is kept on disk of a container: all that a power cut must not take. What runs is noted on tmpfs (`task-notes.ts`). */
export interface ContainerRecord {
  id: string;
  name: string;
  createdNano: bigint;
  config: ContainerConfig;
  host: HostOptions;
  image: ContainerImage;
  /** Rises with every start; 0: never started. */
  generation: number;
  /** A start was committed whose end was not. */
  active: boolean;
  /** Stopped on the user's word: no policy starts it again. */
  stoppedByUser: boolean;
  exitCode: number;
  oomKilled: boolean;
  error: string;
  startedAtNano: bigint;
  finishedAtNano: bigint;
  /** Restarts by the policy since the last start on a user's word. */
  restartCount: number;
  /** The policy was to start it again when this was written. */
  restartDue: boolean;
  /** The container whose hosts, hostname and resolv.conf it has, since it joined its network; '': its own. */
  networkFilesOf: string;
  /** Made for it, without a name; its own until it is removed. */
  volumes: VolumeMount[];
}

export function encodeRecord(record: ContainerRecord): string {
  return JSON.stringify(record, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
}

/** The inverse of `encodeRecord`; the text is our own, so its shape is trusted. */
export function decodeRecord(text: string): ContainerRecord {
  const record = withLaterFields(JSON.parse(text) as ContainerRecord);
  const { resources } = record.host;
  toBigInts(record, ['createdNano', 'startedAtNano', 'finishedAtNano']);
  toBigInts(resources, ['memoryBytes', 'memoryReservationBytes', 'memorySwapBytes', 'nanoCpus']);
  const { healthcheck } = record.config;
  if (healthcheck) toBigInts(healthcheck, ['intervalNs', 'timeoutNs', 'startPeriodNs', 'startIntervalNs']);
  return record;
}

/** What records of an earlier version lack. */
function withLaterFields(record: ContainerRecord): ContainerRecord {
  const resources = Object.assign({ memorySwappiness: -1 }, record.host.resources);
  const host = Object.assign({ isolation: '', emptyLists: [] }, record.host, { resources });
  return Object.assign({ volumes: [], restartDue: false, networkFilesOf: '' }, record, { host });
}

function toBigInts<T extends object>(target: T, keys: (keyof T & string)[]): void {
  const values = target as Record<string, unknown>;
  for (const key of keys) values[key] = BigInt(values[key] as string);
}
