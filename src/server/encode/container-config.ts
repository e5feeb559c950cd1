import type { ContainerConfig } from '../../containers/container.ts';
import type { Healthcheck } from '../../oci/image-config.ts';
import type { HealthConfig, ContainerConfig as WireConfig } from '../../wire/container-config.ts';
import type { Int64 } from '../../wire/int64.ts';

/** Docker's `Config`, in Docker's order; what Go leaves out when empty is left out. */
export function encodeConfig(config: ContainerConfig): WireConfig {
  return {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.attachStdin,
    AttachStdout: config.attachStdout,
    AttachStderr: config.attachStderr,
    ...(config.exposedPorts.length === 0 ? {} : { ExposedPorts: keySet(config.exposedPorts) }),
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: nullIfEmpty(config.env),
    Cmd: config.cmd ?? null,
    ...(config.healthcheck === undefined ? {} : { Healthcheck: encodeHealthcheck(config.healthcheck) }),
    Image: config.image,
    Volumes: config.volumes.length === 0 ? null : keySet(config.volumes),
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint ?? null,
    ...(config.networkDisabled ? { NetworkDisabled: true } : {}),
    OnBuild: nullIfEmpty(config.onBuild),
    Labels: config.labels,
    ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
    ...(config.stopTimeoutSeconds === undefined ? {} : { StopTimeout: config.stopTimeoutSeconds }),
    ...(config.shell === undefined ? {} : { Shell: config.shell }),
  };
}

export function encodeHealthcheck(check: Healthcheck): HealthConfig {
  return {
    ...(check.test.length === 0 ? {} : { Test: check.test }),
    ...nonZero('Interval', check.intervalNs),
    ...nonZero('Timeout', check.timeoutNs),
    ...nonZero('StartPeriod', check.startPeriodNs),
    ...nonZero('StartInterval', check.startIntervalNs),
    ...nonZero('Retries', check.retries),
  };
}

/** Go's set: `{"80/tcp":{}}`. */
export function keySet(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

/** Go's nil slice is null, and so is what nobody filled. */
export function nullIfEmpty<T>(list: T[]): T[] | null {
  return list.length === 0 ? null : list;
}

function nonZero(name: string, value: Int64): Record<string, Int64> {
  return Number(value) === 0 ? {} : { [name]: value };
}
