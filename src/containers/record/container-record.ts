import type { IdMap } from '../../sys/id-map.ts';
import type { ContainerConfig, ContainerImage, HostOptions } from '../container.ts';
import type { ContainerLink } from '../links/container-link.ts';
import { cleanPath } from '../mounts/mount-mode.ts';
import type { BindPoint, MountPoint } from '../mounts/mount-point.ts';
import { parseBind } from '../mounts/parse-bind.ts';
import { membershipOf, type NetworkMembership, networkOfMode } from '../networking/container-networks.ts';

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
  /** In the order in which a start joins them; none with another container's network. */
  networks: NetworkMembership[];
  /** Other containers by names of its own, on the default bridge. */
  links: ContainerLink[];
  /** What is mounted in it, settled at its creation. */
  mounts: MountPoint[];
  /** Its ids on the host, for life, whatever a later daemon's are; absent: the host's own. */
  idMap?: IdMap;
}

export function encodeRecord(record: ContainerRecord): string {
  return JSON.stringify(record, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
}

/** The inverse of `encodeRecord`; the text is our own, so its shape is trusted. */
export function decodeRecord(text: string): ContainerRecord {
  const record = withLaterFields(JSON.parse(text) as EarlierRecord);
  const { resources } = record.host;
  toBigInts(record, ['createdNano', 'startedAtNano', 'finishedAtNano']);
  toBigInts(resources, ['memoryBytes', 'memoryReservationBytes', 'memorySwapBytes', 'nanoCpus']);
  const { healthcheck } = record.config;
  if (healthcheck) toBigInts(healthcheck, ['intervalNs', 'timeoutNs', 'startPeriodNs', 'startIntervalNs']);
  return record;
}

/** A record of an earlier version: volumes had no name of a user's, all else that was mounted stood in its binds. */
interface EarlierRecord extends Omit<ContainerRecord, 'mounts' | 'networks'> {
  mounts?: MountPoint[];
  /** One, which the mode named. */
  networks?: NetworkMembership[];
  volumes?: { name: string; destination: string }[];
}

/** What records of an earlier version lack. */
function withLaterFields({ volumes = [], ...record }: EarlierRecord): ContainerRecord {
  const resources = Object.assign({ memorySwappiness: -1 }, record.host.resources);
  const later = {
    isolation: '',
    emptyLists: [],
    mounts: [],
    volumesFrom: [],
    volumeDriver: '',
    storageOpt: {},
    sizeLimitBytes: 0,
    portBindings: {},
    links: [] as string[],
  };
  const host = Object.assign(later, record.host, { resources });
  const mounts = record.mounts ?? [...volumes.map(earlierVolume), ...host.binds.map(earlierBind)];
  const networks = record.networks ?? [membershipOf(networkOfMode(host.networkMode))];
  return {
    ...Object.assign({ restartDue: false, networkFilesOf: '', links: [] }, record),
    host,
    mounts,
    networks,
  };
}

function earlierVolume({ name, destination }: { name: string; destination: string }): MountPoint {
  const placed = { destination: cleanPath(destination), readWrite: true, mode: '' };
  return { type: 'volume', name, ...placed, anonymous: true, device: false, subpath: '' };
}

/** They were paths only. */
function earlierBind(text: string): BindPoint {
  return parseBind(text) as BindPoint;
}

function toBigInts<T extends object>(target: T, keys: (keyof T & string)[]): void {
  const values = target as Record<string, unknown>;
  for (const key of keys) values[key] = BigInt(values[key] as string);
}
