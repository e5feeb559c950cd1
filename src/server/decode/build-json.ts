import type { BuildOutput, BuildRequest, NamedContext } from '../../builder/build-request.ts';
import type { BuildSession } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { BuildOutputJson, BuildRequestJson } from '../../wire/build.ts';
import { parseJson } from '../../wire/json.ts';

export const MAX_BUILD_JSON = 24 << 20;

/** The `request` part. Its shape is checked where a wrong one would do harm; values are the builder's to check. @throws EngineError "invalid". */
export function parseBuildJson(bytes: Uint8Array): BuildRequestJson {
  const value = parseJson(new TextDecoder().decode(bytes), { maxLength: MAX_BUILD_JSON, maxDepth: 8 });
  const lists = ['noCacheStages', 'platforms', 'outputs', 'extraHosts', 'entitlements'];
  const objects = ['namedContexts', 'buildArgs', 'labels', 'annotations', 'limits', 'dockerfile'];
  const isObject = (one: unknown): one is Record<string, unknown> =>
    typeof one === 'object' && one !== null && !Array.isArray(one);
  const fits =
    isObject(value) &&
    lists.every((name) => Array.isArray(value[name])) &&
    objects.every((name) => isObject(value[name])) &&
    ['target', 'network'].every((name) => typeof value[name] === 'string') &&
    ['buildArgs', 'labels', 'annotations'].every((name) =>
      Object.values(value[name] as object).every((one) => typeof one === 'string'),
    );
  if (!fits) throw new EngineError('invalid', 'the build request is malformed');
  return value as unknown as BuildRequestJson;
}

/** @throws EngineError "invalid". */
export function buildOfJson(json: BuildRequestJson, session: BuildSession): BuildRequest {
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
      'text' in dockerfile
        ? { from: 'text', text: Buffer.from(dockerfile.text, 'base64') }
        : { from: 'context', path: dockerfile.path },
    isContextFiltered: context === 'sent' && 'text' in dockerfile,
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
    annotations: new Map(Object.entries(json.annotations)),
    noCache: json.noCache,
    noCacheStages: json.noCacheStages,
    pull: json.pull,
    cacheFrom: [],
    cacheTo: [],
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
    attestations: new Map(),
    checkOnly: json.checkOnly,
    sourceDateEpoch: json.sourceDateEpoch,
  };
}

function outputOf(output: BuildOutputJson): BuildOutput {
  if (output.type === 'image')
    return { type: 'image', names: output.names, push: output.push, store: true, attributes: {} };
  return { type: output.type, id: output.id, names: output.names, attributes: {} };
}
