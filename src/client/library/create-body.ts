import { EngineError } from '../../errors/engine-error.ts';

export type Mount =
  | { type: 'bind'; source: string; target: string; readOnly?: boolean }
  | { type: 'volume'; source?: string; target: string; readOnly?: boolean }
  | { type: 'tmpfs'; target: string; sizeBytes?: number; mode?: number };

export interface PublishedPort {
  /** In the container. */
  port: number;
  protocol?: 'tcp' | 'udp' | 'sctp';
  /** One is chosen where there is none. */
  hostPort?: number;
  /** `127.0.0.1` unless said otherwise. */
  hostIp?: string;
}

export interface HealthCheck {
  /** A command, or a line for the container's shell. */
  test: readonly string[] | string;
  intervalMs?: number;
  timeoutMs?: number;
  startPeriodMs?: number;
  startIntervalMs?: number;
  retries?: number;
}

/** What a container is made with. */
export interface ContainerOptions {
  name?: string;
  /** Instead of the image's. */
  command?: readonly string[];
  entrypoint?: readonly string[];
  env?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
  /** A number is a TCP port on 127.0.0.1, at a port of the host that is free: see `container.address`. */
  ports?: readonly (number | PublishedPort)[];
  /** Text: `source:target[:options]`, as `-v` has it. */
  mounts?: readonly (Mount | string)[];
  user?: string;
  workingDirectory?: string;
  hostname?: string;
  network?: string;
  tty?: boolean;
  /** Keep stdin open, for `attach`. */
  stdin?: boolean;
  init?: boolean;
  privileged?: boolean;
  readOnly?: boolean;
  memoryBytes?: number;
  /** CPUs' worth of time, `1.5`. */
  cpus?: number;
  health?: HealthCheck;
  stopSignal?: string;
  /** `linux/arm64`. */
  platform?: string;
  /** Docker's own fields of `HostConfig`, for what isn't above. */
  hostConfig?: Readonly<Record<string, unknown>>;
  /** Docker's own fields of `Config`, likewise. */
  config?: Readonly<Record<string, unknown>>;
}

const NANOS_PER_MS = 1_000_000;

/** The body of `POST /containers/create`. @throws EngineError "invalid" for a port or mount that is none. */
export function createBody(image: string, options: ContainerOptions): Record<string, unknown> {
  const ports = (options.ports ?? []).map(portOf);
  const mounts = options.mounts ?? [];
  return {
    Image: image,
    Cmd: options.command,
    Entrypoint: options.entrypoint,
    Env: environmentList(options.env),
    Labels: options.labels ?? {},
    User: options.user,
    WorkingDir: options.workingDirectory,
    Hostname: options.hostname,
    Tty: options.tty ?? false,
    OpenStdin: options.stdin ?? false,
    StdinOnce: options.stdin ?? false,
    AttachStdin: options.stdin ?? false,
    AttachStdout: true,
    AttachStderr: true,
    StopSignal: options.stopSignal,
    Healthcheck: options.health === undefined ? undefined : healthBody(options.health),
    ExposedPorts: ports.length === 0 ? undefined : Object.fromEntries(ports.map(({ key }) => [key, {}])),
    ...options.config,
    HostConfig: hostConfig(options, { ports, mounts }),
  };
}

type Port = { key: string; binding: { HostIp: string; HostPort: string } };

function hostConfig(
  options: ContainerOptions,
  { ports, mounts }: { ports: readonly Port[]; mounts: readonly (Mount | string)[] },
): Record<string, unknown> {
  const binds = mounts.filter((mount) => typeof mount === 'string');
  const others = mounts.filter((mount) => typeof mount !== 'string');
  const bindings: Record<string, Port['binding'][]> = {};
  for (const { key, binding } of ports) {
    bindings[key] ??= [];
    bindings[key].push(binding);
  }
  return {
    PortBindings: ports.length === 0 ? undefined : bindings,
    Binds: binds.length === 0 ? undefined : binds,
    Mounts: others.length === 0 ? undefined : others.map(mountBody),
    NetworkMode: options.network,
    Init: options.init,
    Privileged: options.privileged,
    ReadonlyRootfs: options.readOnly,
    Memory: options.memoryBytes,
    NanoCpus: options.cpus === undefined ? undefined : Math.round(options.cpus * 1e9),
    ...options.hostConfig,
  };
}

function portOf(given: number | PublishedPort): Port {
  const {
    port,
    protocol = 'tcp',
    hostPort,
    hostIp = '127.0.0.1',
  }: PublishedPort = typeof given === 'number' ? { port: given } : given;
  for (const number of [port, hostPort ?? 0])
    if (!Number.isInteger(number) || number < 0 || number > 65535)
      throw new EngineError('invalid', `invalid port ${JSON.stringify(number)}`);
  return {
    key: `${port}/${protocol}`,
    binding: { HostIp: hostIp, HostPort: hostPort === undefined ? '' : String(hostPort) },
  };
}

function mountBody(mount: Mount): Record<string, unknown> {
  const common = { Type: mount.type, Target: mount.target };
  if (mount.type === 'tmpfs')
    return { ...common, TmpfsOptions: { SizeBytes: mount.sizeBytes, Mode: mount.mode } };
  return { ...common, Source: mount.source, ReadOnly: mount.readOnly ?? false };
}

function healthBody(health: HealthCheck): Record<string, unknown> {
  const nanos = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms * NANOS_PER_MS));
  const { test } = health;
  return {
    Test: typeof test === 'string' ? ['CMD-SHELL', test] : ['CMD', ...test],
    Interval: nanos(health.intervalMs),
    Timeout: nanos(health.timeoutMs),
    StartPeriod: nanos(health.startPeriodMs),
    StartInterval: nanos(health.startIntervalMs),
    Retries: health.retries,
  };
}

export function environmentList(env: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}
