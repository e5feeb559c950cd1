import type { EngineEvent } from '../events/event.ts';
import type { RegistryCredentials } from '../registry/client/registry-client.ts';
import type { DoctorReport } from '../wire/doctor.ts';

/** Facts about engine and host for `/info`, gathered at the time of the call. */
export interface SystemInfo {
  id: string;
  name: string;
  dataRoot: string;
  driver: string;
  driverStatus: [string, string][];
  containers: { running: number; paused: number; stopped: number };
  images: number;
  cgroupDriver: string;
  cgroupVersion: string;
  kernelVersion: string;
  operatingSystem: string;
  osVersion: string;
  architecture: string;
  cpus: number;
  memoryBytes: number;
  runtimes: Record<string, { path: string }>;
  defaultRuntime: string;
  runtimeCommit: string;
  securityOptions: string[];
  registryMirrors: string[];
  insecureRegistries: string[];
  /** Registries that something is settled for, docker.io among them; mirrors in the order in which they are asked. */
  registries: { name: string; mirrors: string[]; secure: boolean }[];
  labels: string[];
  /** Of containers that name none. */
  loggingDriver: string;
  cdiFolders: string[];
  warnings: string[];
  debug: boolean;
  memoryLimit: boolean;
  swapLimit: boolean;
  cpuCfs: boolean;
  cpuShares: boolean;
  cpuset: boolean;
  pidsLimit: boolean;
  ipv4Forwarding: boolean;
  httpProxy: string;
  httpsProxy: string;
  noProxy: string;
  eventListeners: number;
  fileDescriptors: number;
  startedNano: bigint;
  components: { name: string; version: string; details: Record<string, string> }[];
}

export interface EventRequest {
  sinceNano: bigint | undefined;
  /** Past: replay and end; future: end then. */
  untilNano: bigint | undefined;
  filters: ReadonlyMap<string, string[]>;
}

export interface SystemBackend {
  info(): Promise<SystemInfo>;
  /** Bytes of the data root by owner, `images` and `containers` among them: all of them, so that the sum is what it takes. */
  diskUsage(): Promise<{ owners: ReadonlyMap<string, number> }>;
  /** The machine goes down: as `ContainerService.stopAll`. */
  stopContainers(): Promise<void>;
  /** Look at the machine and at the daemon itself: up to some seconds, as registries are asked. */
  doctor(options: { signal: AbortSignal }): Promise<DoctorReport>;
  /** Ends when `signal` aborts or `until` is reached. Registration is done when the promise resolves. */
  events(request: EventRequest, options: { signal: AbortSignal }): Promise<AsyncIterable<EngineEvent>>;
  /** Check credentials against a registry. */
  authenticate(
    credentials: RegistryCredentials,
    options: { signal: AbortSignal; tlsVerify?: boolean | undefined },
  ): Promise<{ status: string; identityToken: string }>;
}
