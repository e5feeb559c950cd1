import type { DiffId } from './digest.ts';
import { algorithmOf, isDigest, parseDiffId } from './digest.ts';
import {
  arrayField,
  booleanField,
  int64Field,
  invalidField,
  isAbsent,
  type JsonObject,
  objectField,
  optionalObject,
  optionalSet,
  optionalString,
  optionalStringMap,
  optionalStrings,
  parseJsonObject,
  stringField,
} from './json-fields.ts';
import { decodePlatform, type Platform } from './platform.ts';

/** Far above any real config, far below what would hurt. */
export const MAX_CONFIG_BYTES = 8 << 20;
const MAX_LAYERS = 1024;
const MAX_HISTORY = 10_000;

/** The image configuration blob (OCI image spec, with Docker's additions), decoded and checked. Times are RFC 3339 strings. */
export interface ImageConfig {
  platform: Platform;
  created: string | undefined;
  author: string | undefined;
  config: ImageProcessConfig;
  diffIds: DiffId[];
  history: HistoryEntry[];
}

/** The defaults that an image brings for its containers. */
export interface ImageProcessConfig {
  user: string;
  env: string[];
  entrypoint: string[] | undefined;
  cmd: string[] | undefined;
  workingDir: string;
  exposedPorts: string[];
  volumes: string[];
  labels: Record<string, string>;
  stopSignal: string | undefined;
  shell: string[] | undefined;
  onBuild: string[];
  healthcheck: Healthcheck | undefined;
  argsEscaped: boolean;
}

/** HEALTHCHECK; durations in nanoseconds, 0 = inherit. */
export interface Healthcheck {
  test: string[];
  intervalNs: bigint;
  timeoutNs: bigint;
  startPeriodNs: bigint;
  startIntervalNs: bigint;
  retries: number;
}

export interface HistoryEntry {
  created: string | undefined;
  createdBy: string;
  author: string;
  comment: string;
  emptyLayer: boolean;
}

/**
 * Decode an image configuration blob.
 *
 * @throws EngineError "invalid" naming the field.
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const document = parseJsonObject(bytes, 'image config', MAX_CONFIG_BYTES);
  const rootfs = objectField(document['rootfs'], 'image config.rootfs');
  return {
    platform: decodePlatform(document, 'image config'),
    created: optionalString(document['created'], 'image config.created'),
    author: optionalString(document['author'], 'image config.author'),
    config: decodeProcessConfig(optionalObject(document['config'], 'image config.config') ?? {}),
    diffIds: decodeDiffIds(rootfs),
    history: (isAbsent(document['history'])
      ? []
      : arrayField(document['history'], 'image config.history', MAX_HISTORY)
    ).map((entry, index) => decodeHistory(entry, `image config.history[${index}]`)),
  };
}

function decodeDiffIds(rootfs: JsonObject): DiffId[] {
  const type = optionalString(rootfs['type'], 'image config.rootfs.type') ?? 'layers';
  if (type !== 'layers') throw invalidField('image config.rootfs.type', '"layers"');
  if (isAbsent(rootfs['diff_ids'])) return [];
  return arrayField(rootfs['diff_ids'], 'image config.rootfs.diff_ids', MAX_LAYERS).map((item, index) => {
    const field = `image config.rootfs.diff_ids[${index}]`;
    const text = stringField(item, field);
    if (!isDigest(text) || algorithmOf(text) !== 'sha256')
      throw invalidField(field, 'sha256:<64 hex digits>');
    return parseDiffId(text);
  });
}

/** Decode the `config` object: Docker's Config with OCI's spelling. Also what `docker commit` and the classic builder hand over. */
export function decodeProcessConfig(object: JsonObject): ImageProcessConfig {
  const at = (name: string): string => `image config.config.${name}`;
  return {
    user: optionalString(object['User'], at('User')) ?? '',
    env: optionalStrings(object['Env'], at('Env')) ?? [],
    entrypoint: optionalStrings(object['Entrypoint'], at('Entrypoint')),
    cmd: optionalStrings(object['Cmd'], at('Cmd')),
    workingDir: optionalString(object['WorkingDir'], at('WorkingDir')) ?? '',
    exposedPorts: optionalSet(object['ExposedPorts'], at('ExposedPorts')),
    volumes: optionalSet(object['Volumes'], at('Volumes')),
    labels: optionalStringMap(object['Labels'], at('Labels')) ?? {},
    stopSignal: optionalString(object['StopSignal'], at('StopSignal')) || undefined,
    shell: optionalStrings(object['Shell'], at('Shell')),
    onBuild: optionalStrings(object['OnBuild'], at('OnBuild')) ?? [],
    healthcheck: decodeHealthcheck(object['Healthcheck'], at('Healthcheck')),
    argsEscaped: booleanField(object['ArgsEscaped'], at('ArgsEscaped')),
  };
}

function decodeHealthcheck(value: unknown, field: string): Healthcheck | undefined {
  const object = optionalObject(value, field);
  if (object === undefined) return undefined;
  const retries = int64Field(object['Retries'], `${field}.Retries`);
  if (retries < 0n || retries > 0x7fff_ffffn) throw invalidField(`${field}.Retries`, 'a count');
  return {
    test: optionalStrings(object['Test'], `${field}.Test`) ?? [],
    intervalNs: int64Field(object['Interval'], `${field}.Interval`),
    timeoutNs: int64Field(object['Timeout'], `${field}.Timeout`),
    startPeriodNs: int64Field(object['StartPeriod'], `${field}.StartPeriod`),
    startIntervalNs: int64Field(object['StartInterval'], `${field}.StartInterval`),
    retries: Number(retries),
  };
}

function decodeHistory(value: unknown, field: string): HistoryEntry {
  const object = objectField(value, field);
  return {
    created: optionalString(object['created'], `${field}.created`),
    createdBy: optionalString(object['created_by'], `${field}.created_by`) ?? '',
    author: optionalString(object['author'], `${field}.author`) ?? '',
    comment: optionalString(object['comment'], `${field}.comment`) ?? '',
    emptyLayer: booleanField(object['empty_layer'], `${field}.empty_layer`),
  };
}
