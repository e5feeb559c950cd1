import type {
  BuildOutput,
  BuildRequest,
  CacheSource,
  CacheTarget,
  NamedContext,
} from '../../builder/build-request.ts';
import type { BuildSession } from '../../builder/build-session.ts';
import type { LocalClaim } from '../../builder/sources/local-contexts.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { BuildOutputJson, BuildRequestJson, LocalDirectoryJson } from '../../wire/build.ts';
import { parseJson } from '../../wire/json.ts';

export const MAX_BUILD_JSON = 8 << 20;

/** The `request` part. Its shape is checked where a wrong one would do harm; values are the builder's to check. @throws EngineError "invalid". */
export function parseBuildJson(bytes: Uint8Array): BuildRequestJson {
  const value = parseJson(new TextDecoder().decode(bytes), { maxLength: MAX_BUILD_JSON, maxDepth: 8 });
  const lists = [
    'noCacheStages',
    'platforms',
    'outputs',
    'extraHosts',
    'entitlements',
    'cacheFrom',
    'cacheTo',
  ];
  const objects = ['namedContexts', 'buildArgs', 'labels', 'attestations', 'limits', 'dockerfile'];
  const isObject = (one: unknown): one is Record<string, unknown> =>
    typeof one === 'object' && one !== null && !Array.isArray(one);
  const fits =
    isObject(value) &&
    lists.every((name) => Array.isArray(value[name])) &&
    objects.every((name) => isObject(value[name])) &&
    ['target', 'network'].every((name) => typeof value[name] === 'string') &&
    [
      ...(value['cacheFrom'] as unknown[]),
      ...(value['cacheTo'] as unknown[]),
      ...(value['outputs'] as unknown[]),
    ].every((one) => isObject(one) && isObject(one['attributes']) && areTexts(one['attributes'])) &&
    Object.values(value['attestations'] as object).every((one) => isObject(one) && areTexts(one)) &&
    ['buildArgs', 'labels'].every((name) => areTexts(value[name] as object)) &&
    Object.values(value['namedContexts'] as object).every((one) => isObject(one) && areTexts(one)) &&
    (value['agents'] === undefined || isTexts(value['agents']));
  if (!fits) throw new EngineError('invalid', 'the build request is malformed');
  return value as unknown as BuildRequestJson;
}

/** A `directory` part. @throws EngineError "invalid". */
export function parseLocalDirectory(bytes: Uint8Array): LocalClaim {
  const value = parseJson(new TextDecoder().decode(bytes), { maxLength: MAX_BUILD_JSON, maxDepth: 2 });
  const json = (typeof value === 'object' && value !== null ? value : {}) as Partial<LocalDirectoryJson>;
  const { path, proof, ignore, device, inode, birthNs } = json;
  const [deviceNumber, inodeNumber, birth] = [device, inode, birthNs].map(decimal);
  const isGood =
    typeof path === 'string' &&
    typeof proof === 'string' &&
    Array.isArray(ignore) &&
    ignore.every((one) => typeof one === 'string');
  if (!isGood || deviceNumber === undefined || inodeNumber === undefined || birth === undefined)
    throw new EngineError('invalid', 'the build request is malformed');
  return { path, proof, ignore, device: deviceNumber, inode: inodeNumber, birthNs: birth };
}

function decimal(text: unknown): bigint | undefined {
  return typeof text === 'string' && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function areTexts(object: object): boolean {
  return Object.values(object).every((one) => typeof one === 'string');
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** `text`: the Dockerfile, where it was sent. @throws EngineError "invalid". */
export function buildOfJson(
  json: BuildRequestJson,
  session: BuildSession,
  text: Uint8Array | undefined,
): BuildRequest {
  const { limits, dockerfile, context } = json;
  return {
    session,
    context:
      context === 'sent'
        ? { type: 'local' }
        : context === 'none'
          ? { type: 'none' }
          : { type: 'remote', url: context.url },
    dockerfile:
      'path' in dockerfile ? { from: 'context', path: dockerfile.path } : { from: 'text', text: sent(text) },
    isContextFiltered: context === 'sent' && !('path' in dockerfile),
    namedContexts: new Map(
      Object.entries(json.namedContexts).map(([name, one]): [string, NamedContext] => [
        name,
        one.type === 'local' ? { type: 'local', name } : one,
      ]),
    ),
    target: json.target,
    platforms: json.platforms.map((text) => parsePlatform(text)),
    buildArgs: new Map(Object.entries(json.buildArgs)),
    labels: new Map(Object.entries(json.labels)),
    noCache: json.noCache,
    noCacheStages: json.noCacheStages,
    pull: json.pull,
    cacheFrom: json.cacheFrom.map(({ type, attributes }) => cacheSource(type, attributes)),
    cacheTo: json.cacheTo.map(({ type, attributes }) => cacheTarget(type, attributes)),
    outputs: json.outputs.map(outputOf),
    network: json.network === 'default' ? '' : json.network,
    extraHosts: json.extraHosts,
    limits: {
      ...limits,
      memoryBytes: BigInt(limits.memory ?? 0),
      memorySwapBytes: BigInt(limits.memorySwap ?? 0),
      shmSizeBytes: limits.shmSize ?? 0,
      ulimits: limits.ulimits ?? [],
    },
    entitlements: json.entitlements,
    attestations: new Map(
      Object.entries(json.attestations) as ['provenance' | 'sbom', Record<string, string>][],
    ),
    parameters: parametersOf(json),
    checkOnly: json.checkOnly,
    ...(json.describe === 'outline' || json.describe === 'targets' ? { describe: json.describe } : {}),
    sourceDateEpoch: json.buildArgs['SOURCE_DATE_EPOCH'],
  };
}

function sent(text: Uint8Array | undefined): Uint8Array {
  if (text === undefined) throw new EngineError('invalid', 'the build request is malformed');
  return text;
}

/** By the names of the Dockerfile frontend. */
function parametersOf(json: BuildRequestJson): Record<string, string> {
  const named = (prefix: string, values: Record<string, string>): [string, string][] =>
    Object.entries(values).map(([name, value]) => [`${prefix}:${name}`, value]);
  return Object.fromEntries([
    ...(json.target === '' ? [] : [['target', json.target]]),
    ...(json.platforms.length === 0 ? [] : [['platform', json.platforms.join(',')]]),
    ...named('build-arg', json.buildArgs),
    ...named('label', json.labels),
  ]) as Record<string, string>;
}

const CACHE_TYPES = ['registry', 'local', 'inline'] as const;

function cacheSource(type: string, attributes: Record<string, string>): CacheSource {
  const known = CACHE_TYPES.find((one) => one === type);
  if (known === undefined)
    throw new EngineError('not-implemented', `unknown cache type: ${JSON.stringify(type)}`);
  return { type: known, attributes };
}

function cacheTarget(type: string, attributes: Record<string, string>): CacheTarget {
  const { mode = 'min' } = attributes;
  if (mode !== 'min' && mode !== 'max')
    throw new EngineError('invalid', `unsupported cache export mode: ${mode}`);
  return { ...cacheSource(type, attributes), mode };
}

function outputOf(output: BuildOutputJson): BuildOutput {
  const { names, attributes } = output;
  if (output.type === 'image')
    return { type: 'image', names, push: output.push, store: attributes['store'] !== 'false', attributes };
  return { type: output.type, id: output.id, names, attributes };
}
