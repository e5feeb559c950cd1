import type { HostOptions } from '../../containers/container.ts';
import type { HostConfig, Resources } from '../../wire/host-config.ts';
import { noHardware } from '../decode/hardware-rules.ts';
import { nullIfEmpty } from './container-config.ts';
import { encodeMountRequest } from './mounts.ts';
import { encodePortBindings } from './ports.ts';

type HardwareOptions = NonNullable<HostOptions['hardware']>;

/** What a container gets that asked for nothing, as Docker's `--default-shm-size`. */
const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** The network that `default` means. */
export function effectiveNetworkMode({ networkMode }: HostOptions): string {
  return networkMode === '' || networkMode === 'default' ? 'bridge' : networkMode;
}

/** Docker's `HostConfig`, every field that Docker shows, in its order; what was left open is shown as what it became. */
export function encodeHostConfig(host: HostOptions): HostConfig {
  return {
    Binds: nullIfEmpty(host.binds),
    ContainerIDFile: '',
    LogConfig: { Type: host.logConfig.type || 'json-file', Config: host.logConfig.config },
    NetworkMode: effectiveNetworkMode(host),
    PortBindings: encodePortBindings(host),
    RestartPolicy: {
      Name: host.restartPolicy.name,
      MaximumRetryCount: host.restartPolicy.maximumRetryCount,
    },
    AutoRemove: host.autoRemove,
    ...(actsOnFailure(host) ? { HealthOnFailure: host.healthOnFailure } : {}),
    VolumeDriver: host.volumeDriver,
    VolumesFrom: nullIfEmpty(host.volumesFrom),
    ...(host.mounts.length === 0 ? {} : { Mounts: host.mounts.map(encodeMountRequest) }),
    ConsoleSize: host.consoleSize,
    ...(Object.keys(host.annotations).length === 0 ? {} : { Annotations: host.annotations }),
    CapAdd: nullIfEmpty(host.capAdd),
    CapDrop: nullIfEmpty(host.capDrop),
    CgroupnsMode: host.cgroupnsMode,
    Dns: asGiven(host, 'Dns', host.dns),
    DnsOptions: asGiven(host, 'DnsOptions', host.dnsOptions),
    DnsSearch: asGiven(host, 'DnsSearch', host.dnsSearch),
    ExtraHosts: nullIfEmpty(host.extraHosts),
    GroupAdd: nullIfEmpty(host.groupAdd),
    IpcMode: host.ipcMode || 'private',
    Cgroup: '',
    Links: null,
    OomScoreAdj: host.oomScoreAdj,
    PidMode: host.pidMode,
    Privileged: host.privileged,
    PublishAllPorts: host.publishAllPorts,
    ReadonlyRootfs: host.readonlyRootfs,
    SecurityOpt: nullIfEmpty(host.securityOpt),
    ...(Object.keys(host.tmpfs).length === 0 ? {} : { Tmpfs: host.tmpfs }),
    ...(Object.keys(host.storageOpt).length === 0 ? {} : { StorageOpt: host.storageOpt }),
    UTSMode: host.utsMode,
    UsernsMode: host.usernsMode,
    ShmSize: host.shmSizeBytes || DEFAULT_SHM_BYTES,
    ...(Object.keys(host.sysctls).length === 0 ? {} : { Sysctls: host.sysctls }),
    Runtime: host.runtime,
    Isolation: host.isolation,
    ...encodeResources(host),
    MaskedPaths: host.maskedPaths ?? null,
    ReadonlyPaths: host.readonlyPaths ?? null,
  };
}

/** An empty list is shown as one if it was asked for, else as null. */
function asGiven<T>({ emptyLists }: HostOptions, name: string, list: T[]): T[] | null {
  return list.length > 0 || emptyLists.includes(name) ? list : null;
}

function encodeResources(host: HostOptions): Resources {
  const { resources, hardware = noHardware() } = host;
  return {
    CpuShares: resources.cpuShares,
    Memory: resources.memoryBytes,
    NanoCpus: resources.nanoCpus,
    CgroupParent: host.cgroupParent,
    BlkioWeight: resources.blkioWeight,
    BlkioWeightDevice: asGiven(
      host,
      'BlkioWeightDevice',
      hardware.weightDevices.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    ),
    BlkioDeviceReadBps: asGiven(host, 'BlkioDeviceReadBps', hardware.readBps.map(encodeLimit)),
    BlkioDeviceWriteBps: asGiven(host, 'BlkioDeviceWriteBps', hardware.writeBps.map(encodeLimit)),
    BlkioDeviceReadIOps: asGiven(host, 'BlkioDeviceReadIOps', hardware.readIops.map(encodeLimit)),
    BlkioDeviceWriteIOps: asGiven(host, 'BlkioDeviceWriteIOps', hardware.writeIops.map(encodeLimit)),
    CpuPeriod: resources.cpuPeriodUs,
    CpuQuota: resources.cpuQuotaUs,
    CpuRealtimePeriod: hardware.realtimePeriodUs,
    CpuRealtimeRuntime: hardware.realtimeRuntimeUs,
    CpusetCpus: resources.cpusetCpus,
    CpusetMems: resources.cpusetMems,
    Devices: asGiven(host, 'Devices', hardware.devices.map(encodeDevice)),
    DeviceCgroupRules: nullIfEmpty(hardware.cgroupRules),
    DeviceRequests: nullIfEmpty(hardware.requests.map(encodeRequest)),
    MemoryReservation: resources.memoryReservationBytes,
    MemorySwap: resources.memorySwapBytes,
    MemorySwappiness: resources.memorySwappiness < 0 ? null : resources.memorySwappiness,
    OomKillDisable: host.oomKillDisable,
    ...(host.init === undefined ? {} : { Init: host.init }),
    PidsLimit: resources.pidsLimit === 0 ? null : Math.max(0, resources.pidsLimit),
    Ulimits: asGiven(
      host,
      'Ulimits',
      host.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
    ),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

function encodeLimit({ path, rate }: HardwareOptions['readBps'][number]) {
  return { Path: path, Rate: rate };
}

function encodeDevice({
  pathOnHost,
  pathInContainer,
  cgroupPermissions,
}: HardwareOptions['devices'][number]) {
  return { PathOnHost: pathOnHost, PathInContainer: pathInContainer, CgroupPermissions: cgroupPermissions };
}

function encodeRequest({ driver, count, ids, capabilities, options }: HardwareOptions['requests'][number]) {
  return {
    Driver: driver,
    Count: count,
    DeviceIDs: nullIfEmpty(ids),
    Capabilities: nullIfEmpty(capabilities),
    Options: options,
  };
}

function actsOnFailure(host: HostOptions): host is HostOptions & { healthOnFailure: string } {
  return (host.healthOnFailure ?? 'none') !== 'none';
}
