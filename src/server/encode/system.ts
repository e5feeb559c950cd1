import type { RegistryIndex, SystemVersion, SystemInfo as WireInfo } from '../../wire/system.ts';
import { formatTime } from '../../wire/time.ts';
import { API_VERSION, MIN_API_VERSION } from '../../wire/versions.ts';
import type { BuildInfo } from '../server-options.ts';
import type { SystemInfo } from '../system-backend.ts';

const GO_ARCHITECTURES: Record<string, string> = { x86_64: 'amd64', aarch64: 'arm64' };

/** Answer of `GET /version`. `GoVersion` holds what runs us, since clients print that line. */
export function encodeVersion(info: SystemInfo, build: BuildInfo): SystemVersion {
  const arch = GO_ARCHITECTURES[info.architecture] ?? info.architecture;
  const runtime = `bun${process.versions['bun'] ?? ''}`;
  return {
    Platform: { Name: 'Sampan' },
    Components: [
      {
        Name: 'Engine',
        Version: build.version,
        Details: {
          ApiVersion: API_VERSION,
          Arch: arch,
          BuildTime: build.buildTime,
          Experimental: 'false',
          GitCommit: build.gitCommit,
          GoVersion: runtime,
          KernelVersion: info.kernelVersion,
          MinAPIVersion: MIN_API_VERSION,
          Os: 'linux',
        },
      },
      ...info.components.map(({ name, version, details }) => ({
        Name: name,
        Version: version,
        Details: details,
      })),
    ],
    Version: build.version,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: build.gitCommit,
    GoVersion: runtime,
    Os: 'linux',
    Arch: arch,
    KernelVersion: info.kernelVersion,
    BuildTime: build.buildTime,
  };
}

/** Answer of `GET /info`. */
export function encodeInfo(info: SystemInfo, options: { build: BuildInfo; nowNano: bigint }): WireInfo {
  const { running, paused, stopped } = info.containers;
  return {
    ID: info.id,
    Containers: running + paused + stopped,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: stopped,
    Images: info.images,
    Driver: info.driver,
    DriverStatus: info.driverStatus,
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['journald', 'json-file', 'local', 'syslog'],
    },
    MemoryLimit: info.memoryLimit,
    SwapLimit: info.swapLimit,
    CpuCfsPeriod: info.cpuCfs,
    CpuCfsQuota: info.cpuCfs,
    CPUShares: info.cpuShares,
    CPUSet: info.cpuset,
    PidsLimit: info.pidsLimit,
    IPv4Forwarding: info.ipv4Forwarding,
    Debug: info.debug,
    NFd: info.fileDescriptors,
    OomKillDisable: info.cgroupVersion === '1',
    NGoroutines: 0,
    SystemTime: formatTime(options.nowNano),
    LoggingDriver: info.loggingDriver,
    CgroupDriver: info.cgroupDriver,
    CgroupVersion: info.cgroupVersion,
    NEventsListener: info.eventListeners,
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSVersion: info.osVersion,
    OSType: 'linux',
    Architecture: info.architecture,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: encodeRegistries(info),
    NCPU: info.cpus,
    MemTotal: info.memoryBytes,
    GenericResources: null,
    DockerRootDir: info.dataRoot,
    HttpProxy: info.httpProxy,
    HttpsProxy: info.httpsProxy,
    NoProxy: info.noProxy,
    Name: info.name,
    Labels: info.labels,
    ExperimentalBuild: false,
    ServerVersion: options.build.version,
    Runtimes: info.runtimes,
    DefaultRuntime: info.defaultRuntime,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: info.runtimeCommit },
    InitCommit: { ID: '' },
    SecurityOptions: info.securityOptions,
    FirewallBackend: { Driver: 'nftables' },
    CDISpecDirs: info.cdiFolders,
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

function encodeRegistries(info: SystemInfo): WireInfo['RegistryConfig'] {
  const isCidr = (entry: string) => entry.includes('/');
  const index = ({ name, mirrors, secure }: SystemInfo['registries'][number]): RegistryIndex => ({
    Mirrors: mirrors,
    Name: name,
    Official: name === 'docker.io',
    Secure: secure,
  });
  return {
    IndexConfigs: Object.fromEntries(info.registries.map((entry) => [entry.name, index(entry)])),
    InsecureRegistryCIDRs: [...info.insecureRegistries.filter(isCidr), '127.0.0.0/8', '::1/128'],
    Mirrors: info.registryMirrors,
  };
}
