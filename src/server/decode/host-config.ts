import type { HostOptions } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { parseByteSize } from '../../wire/byte-size.ts';
import type { HostConfig } from '../../wire/host-config.ts';
import { type FieldRule, honour, ignore, refuse, warn } from './field-rule.ts';
import {
  anything,
  boolean,
  type Decoder,
  Fields,
  int,
  int64,
  listOf,
  smallInt64,
  string,
  stringMap,
  strings,
  uint16,
} from './go-json.ts';
import { HARDWARE_RULES } from './hardware-rules.ts';
import { decodeHealthAction } from './healthcheck.ts';
import { mountRequests } from './mounts.ts';
import { portBindings } from './port-bindings.ts';

type Rules<Keys extends PropertyKey> = Record<Keys, FieldRule<HostOptions>>;

const RESOURCE_RULES = {
  ...HARDWARE_RULES,
  CpuShares: honour(smallInt64, (host, value) => {
    host.resources.cpuShares = value;
  }),
  Memory: honour(int64, (host, value) => {
    host.resources.memoryBytes = value;
  }),
  NanoCpus: honour(int64, (host, value) => {
    host.resources.nanoCpus = value;
  }),
  CgroupParent: honour(string, (host, value) => {
    host.cgroupParent = value;
  }),
  BlkioWeight: honour(uint16, (host, value) => {
    host.resources.blkioWeight = value;
  }),
  CpuPeriod: honour(smallInt64, (host, value) => {
    host.resources.cpuPeriodUs = value;
  }),
  CpuQuota: honour(smallInt64, (host, value) => {
    host.resources.cpuQuotaUs = value;
  }),
  CpusetCpus: honour(string, (host, value) => {
    host.resources.cpusetCpus = value;
  }),
  CpusetMems: honour(string, (host, value) => {
    host.resources.cpusetMems = value;
  }),
  KernelMemory: ignore(),
  KernelMemoryTCP: warn(
    'Specifying a kernel TCP memory limit is deprecated and will be removed in a future release.',
  ),
  MemoryReservation: honour(int64, (host, value) => {
    host.resources.memoryReservationBytes = value;
  }),
  MemorySwap: honour(int64, (host, value) => {
    host.resources.memorySwapBytes = value;
  }),
  MemorySwappiness: honour(smallInt64, (host, value) => {
    host.resources.memorySwappiness = value;
  }),
  OomKillDisable: honour(boolean, (host, value) => {
    host.oomKillDisable = value;
  }),
  Init: honour(boolean, (host, value) => {
    host.init = value;
  }),
  PidsLimit: honour(smallInt64, (host, value) => {
    host.resources.pidsLimit = value;
  }),
  Ulimits: honour(listOf(decodeUlimit), (host, value) => {
    host.ulimits = value;
  }),
  CpuCount: ignore(),
  CpuPercent: ignore(),
  IOMaximumIOps: ignore(),
  IOMaximumBandwidth: ignore(),
} satisfies Partial<Rules<keyof HostConfig>>;

const PLACEMENT_RULES = {
  Binds: honour(strings, (host, value) => {
    host.binds = value;
  }),
  ContainerIDFile: ignore(),
  LogConfig: honour(decodeLogConfig, (host, value) => {
    host.logConfig = value;
  }),
  NetworkMode: honour(string, (host, value) => {
    host.networkMode = value;
  }),
  PortBindings: honour(portBindings, (host, value) => {
    host.portBindings = value;
  }),
  RestartPolicy: honour(decodeRestartPolicy, (host, value) => {
    host.restartPolicy = value;
  }),
  AutoRemove: honour(boolean, (host, value) => {
    host.autoRemove = value;
  }),
  HealthOnFailure: honour(decodeHealthAction, (host, value) => {
    host.healthOnFailure = value;
  }),
  VolumeDriver: honour(string, (host, value) => {
    host.volumeDriver = value;
  }),
  VolumesFrom: honour(strings, (host, value) => {
    host.volumesFrom = value;
  }),
  Mounts: honour(mountRequests, (host, value) => {
    host.mounts = value;
  }),
  ConsoleSize: honour(listOf(int), (host, value) => {
    host.consoleSize = [value[0] ?? 0, value[1] ?? 0];
  }),
  Annotations: honour(stringMap, (host, value) => {
    host.annotations = value;
  }),
  CapAdd: honour(strings, (host, value) => {
    host.capAdd = value;
  }),
  CapDrop: honour(strings, (host, value) => {
    host.capDrop = value;
  }),
  CgroupnsMode: honour(string, (host, value) => {
    host.cgroupnsMode = value;
  }),
  Dns: honour(strings, (host, value) => {
    host.dns = value;
  }),
  DnsOptions: honour(strings, (host, value) => {
    host.dnsOptions = value;
  }),
  DnsSearch: honour(strings, (host, value) => {
    host.dnsSearch = value;
  }),
  ExtraHosts: honour(strings, (host, value) => {
    host.extraHosts = value;
  }),
  GroupAdd: honour(strings, (host, value) => {
    host.groupAdd = value;
  }),
  IpcMode: honour(string, (host, value) => {
    host.ipcMode = value;
  }),
  Cgroup: refuse('cgroup namespace of another container'),
  Links: honour(strings, (host, value) => {
    host.links = value;
  }),
  OomScoreAdj: honour(int, (host, value) => {
    host.oomScoreAdj = value;
  }),
  PidMode: honour(string, (host, value) => {
    host.pidMode = value;
  }),
  Privileged: honour(boolean, (host, value) => {
    host.privileged = value;
  }),
  PublishAllPorts: honour(boolean, (host, value) => {
    host.publishAllPorts = value;
  }),
  ReadonlyRootfs: honour(boolean, (host, value) => {
    host.readonlyRootfs = value;
  }),
  SecurityOpt: honour(strings, (host, value) => {
    host.securityOpt = value;
  }),
  StorageOpt: honour(stringMap, (host, value) => {
    host.storageOpt = value;
    host.sizeLimitBytes = sizeLimit(value);
  }),
  Tmpfs: honour(stringMap, (host, value) => {
    host.tmpfs = value;
  }),
  UTSMode: honour(string, (host, value) => {
    host.utsMode = value;
  }),
  UsernsMode: honour(string, (host, value) => {
    host.usernsMode = value;
  }),
  ShmSize: honour(smallInt64, (host, value) => {
    host.shmSizeBytes = value;
  }),
  Sysctls: honour(stringMap, (host, value) => {
    host.sysctls = value;
  }),
  Runtime: honour(string, (host, value) => {
    host.runtime = value;
  }),
  Isolation: honour(string, (host, value) => {
    host.isolation = value;
  }),
  MaskedPaths: honour(strings, (host, value) => {
    host.maskedPaths = value;
  }),
  ReadonlyPaths: honour(strings, (host, value) => {
    host.readonlyPaths = value;
  }),
} satisfies Partial<Rules<keyof HostConfig>>;

/** Go tells an empty list from none, and shows which it was. */
const SHOWN_LISTS = [
  'PortBindings',
  'Dns',
  'DnsOptions',
  'DnsSearch',
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
  'Devices',
  'Ulimits',
];

/** Those of them that are in the request, and empty. */
export function emptyLists(fields: Fields): string[] {
  return SHOWN_LISTS.filter((name) => {
    const value = fields.get(name, anything);
    return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  });
}

/** Every field of Docker's `HostConfig`. */
export const HOST_RULES: Rules<keyof HostConfig> = { ...RESOURCE_RULES, ...PLACEMENT_RULES };

/** The fields of an update that mean something: Docker's `UpdateConfig`. */
export const UPDATE_RULES: Record<string, FieldRule<HostOptions>> = {
  ...RESOURCE_RULES,
  RestartPolicy: PLACEMENT_RULES.RestartPolicy,
  // Taken and left as they are, as in Docker.
  CgroupParent: ignore(),
  Devices: ignore(),
  DeviceCgroupRules: ignore(),
  DeviceRequests: ignore(),
  Init: ignore(),
  KernelMemoryTCP: ignore(),
  MemorySwappiness: ignore(),
  OomKillDisable: ignore(),
  Ulimits: ignore(),
};

/** What a `HostConfig` is of which nothing was said. */
export function emptyHost(): HostOptions {
  return {
    autoRemove: false,
    binds: [],
    tmpfs: {},
    mounts: [],
    volumesFrom: [],
    volumeDriver: '',
    networkMode: '',
    pidMode: '',
    ipcMode: '',
    utsMode: '',
    cgroupnsMode: '',
    usernsMode: '',
    privileged: false,
    readonlyRootfs: false,
    capAdd: [],
    capDrop: [],
    securityOpt: [],
    groupAdd: [],
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    extraHosts: [],
    shmSizeBytes: 0,
    sysctls: {},
    ulimits: [],
    oomScoreAdj: 0,
    oomKillDisable: false,
    init: undefined,
    runtime: '',
    isolation: '',
    consoleSize: [0, 0],
    logConfig: { type: '', config: {} },
    restartPolicy: { name: '', maximumRetryCount: 0 },
    maskedPaths: undefined,
    readonlyPaths: undefined,
    cgroupParent: '',
    annotations: {},
    storageOpt: {},
    sizeLimitBytes: 0,
    links: [],
    portBindings: {},
    publishAllPorts: false,
    emptyLists: [],
    resources: {
      memoryBytes: 0n,
      memoryReservationBytes: 0n,
      memorySwapBytes: 0n,
      cpuShares: 0,
      nanoCpus: 0n,
      cpuPeriodUs: 0,
      cpuQuotaUs: 0,
      cpusetCpus: '',
      cpusetMems: '',
      blkioWeight: 0,
      pidsLimit: 0,
      memorySwappiness: -1,
    },
  };
}

/** @returns bytes, 0 without a limit. @throws EngineError "invalid" in Docker's words. */
function sizeLimit(options: Record<string, string>): number {
  let limit = 0;
  for (const [name, value] of Object.entries(options)) {
    if (name.toLowerCase() !== 'size') throw new EngineError('invalid', `Unknown option ${name}`);
    const size = parseByteSize(value);
    if (typeof size === 'string') throw new EngineError('invalid', size);
    if (size < 0n) throw new EngineError('invalid', `invalid size: '${value}'`);
    limit = Number(size);
  }
  return limit;
}

type Ulimit = HostOptions['ulimits'][number];
type RestartPolicy = HostOptions['restartPolicy'];

function decodeUlimit(...[value, field]: Parameters<Decoder<Ulimit>>): Ulimit {
  const fields = new Fields(value, field, 'container.Ulimit');
  return {
    name: fields.get('Name', string) ?? '',
    soft: limit(fields.get('Soft', int64)),
    hard: limit(fields.get('Hard', int64)),
  };
}

/** Limits past 2^53 are none: -1, as clients say it. */
function limit(value = 0n): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(value);
}

function decodeLogConfig(
  ...[value, field]: Parameters<Decoder<HostOptions['logConfig']>>
): HostOptions['logConfig'] {
  const fields = new Fields(value, field, 'container.LogConfig');
  return { type: fields.get('Type', string) ?? '', config: fields.get('Config', stringMap) ?? {} };
}

function decodeRestartPolicy(...[value, field]: Parameters<Decoder<RestartPolicy>>): RestartPolicy {
  const fields = new Fields(value, field, 'container.RestartPolicy');
  const name = fields.get('Name', string) ?? '';
  const maximumRetryCount = fields.get('MaximumRetryCount', int) ?? 0;
  if (name === '' || name === 'no' || name === 'always' || name === 'unless-stopped' || name === 'on-failure')
    return { name, maximumRetryCount };
  throw new EngineError(
    'invalid',
    `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
  );
}
