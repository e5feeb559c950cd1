import type { Healthcheck, HistoryEntry, ImageConfig, ImageProcessConfig } from './image-config.ts';
import type { JsonObject } from './json-fields.ts';

/** The config blob of an image made here (import, commit, build): OCI's JSON with Docker's additions, nothing empty. */
export function renderImageConfig(image: ImageConfig): Uint8Array {
  const document = withoutEmpty({
    architecture: image.platform.architecture,
    author: image.author,
    config: renderProcessConfig(image.config),
    created: image.created,
    history: image.history.length === 0 ? undefined : image.history.map(renderHistory),
    os: image.platform.os,
    'os.version': image.platform.osVersion,
    rootfs: { type: 'layers', diff_ids: image.diffIds },
    variant: image.platform.variant,
  });
  return new TextEncoder().encode(JSON.stringify(document));
}

export function renderProcessConfig(config: ImageProcessConfig): JsonObject {
  return withoutEmpty({
    User: config.user,
    ExposedPorts: renderSet(config.exposedPorts),
    Env: renderList(config.env),
    Entrypoint: renderList(config.entrypoint),
    Cmd: renderList(config.cmd),
    Healthcheck: config.healthcheck === undefined ? undefined : renderHealthcheck(config.healthcheck),
    ArgsEscaped: config.argsEscaped || undefined,
    Volumes: renderSet(config.volumes),
    WorkingDir: config.workingDir,
    OnBuild: renderList(config.onBuild),
    Labels: Object.keys(config.labels).length === 0 ? undefined : config.labels,
    StopSignal: config.stopSignal,
    Shell: renderList(config.shell),
  });
}

/** Numbers: int64 nanoseconds beyond 2^53 (104 days) lose their last digits, which no health check notices. */
function renderHealthcheck(check: Healthcheck): JsonObject {
  return withoutEmpty({
    Test: check.test.length === 0 ? undefined : check.test,
    Interval: Number(check.intervalNs) || undefined,
    Timeout: Number(check.timeoutNs) || undefined,
    StartPeriod: Number(check.startPeriodNs) || undefined,
    StartInterval: Number(check.startIntervalNs) || undefined,
    Retries: check.retries || undefined,
  });
}

function renderHistory(entry: HistoryEntry): JsonObject {
  return withoutEmpty({
    created: entry.created,
    created_by: entry.createdBy,
    author: entry.author,
    comment: entry.comment,
    empty_layer: entry.emptyLayer || undefined,
  });
}

/** Go leaves an empty list out. */
function renderList(list: readonly string[] | undefined): readonly string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function renderSet(names: readonly string[]): JsonObject | undefined {
  if (names.length === 0) return undefined;
  return Object.fromEntries([...names].sort().map((name) => [name, {}]));
}

function withoutEmpty(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && value !== ''),
  );
}
