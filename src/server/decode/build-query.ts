import type { BuildOutput, BuildRequest, CacheSource, StepLimits } from '../../builder/build-request.ts';
import type { BuildSession } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Platform } from '../../oci/platform.ts';
import type { RegistryCredentials } from '../../registry/client/registry-client.ts';
import { parseJson } from '../../wire/json.ts';
import { quote } from '../../wire/quote.ts';
import { toAuthConfig } from '../../wire/registry-auth.ts';
import { type ApiRequest, boolParam, intParam, textParam } from '../api-request.ts';
import { credentialsOf } from './credentials.ts';
import { platformParam } from './platform.ts';

const MAX_PARAMETER = 1 << 20;

/** `POST /build` of the classic builder, but for where its files come from. @throws EngineError "invalid". */
export function classicBuild(request: ApiRequest, session: BuildSession): BuildRequest {
  refuseUnknown(request);
  const remote = textParam(request, 'remote');
  const platform = platformParam(request);
  return {
    session,
    context: remote === undefined ? { type: 'local' } : { type: 'remote', url: remoteUrl(remote) },
    dockerfile: { from: 'context', path: textParam(request, 'dockerfile') ?? 'Dockerfile' },
    namedContexts: new Map(),
    target: textParam(request, 'target') ?? '',
    platforms: platform === undefined ? [] : [platform satisfies Platform],
    buildArgs: stringMap(request, 'buildargs'),
    labels: stringMap(request, 'labels'),
    noCache: boolParam(request, 'nocache'),
    noCacheStages: [],
    pull: boolParam(request, 'pull'),
    cacheFrom: cacheFrom(request),
    cacheTo: [],
    outputs: [imageOutput(request)],
    network: networkMode(request),
    extraHosts: extraHosts(request),
    limits: limits(request),
    entitlements: [],
    attestations: new Map(),
    checkOnly: false,
    sourceDateEpoch: undefined,
  };
}

/** What a repository or a download begins with. */
const REMOTE = /^(https?:\/\/|git:\/\/|github\.com\/|git@)/;

/** @throws EngineError "internal" in Docker's words, and with its status. */
function remoteUrl(remote: string): string {
  if (REMOTE.test(remote)) return remote;
  throw new EngineError('internal', `remoteURL (${remote}) could not be recognized as URL`);
}

/** Of all that were given, those without a value among them. */
export function buildArgNames(request: ApiRequest): string[] {
  return Object.keys(jsonParam(request, 'buildargs') ?? {});
}

/** Images with a cache of their own; of those without one nothing is used. */
function cacheFrom(request: ApiRequest): CacheSource[] {
  const value = jsonParam(request, 'cachefrom');
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) throw wrong('cachefrom');
  return value.map((ref) => ({ type: 'registry', attributes: { ref } }));
}

function imageOutput(request: ApiRequest): BuildOutput {
  const names = request.query.getAll('t').filter((name) => name !== '');
  return { type: 'image', names, push: false, store: true, attributes: {} };
}

/** Linux has none but `default`, whatever protocol asks. @throws EngineError "invalid" in Docker's words. */
export function checkIsolation(request: ApiRequest): void {
  const isolation = textParam(request, 'isolation') ?? 'default';
  if (isolation.toLowerCase() !== 'default')
    throw new EngineError('invalid', `unsupported isolation: ${quote(isolation)}`);
}

function refuseUnknown(request: ApiRequest): void {
  const version = textParam(request, 'version') ?? '1';
  if (version !== '1') throw new EngineError('invalid', `invalid version ${version}`);
  if (boolParam(request, 'squash'))
    throw new EngineError('invalid', 'squash is only supported with experimental mode');
  if (jsonParam(request, 'outputs') !== undefined)
    throw new EngineError('invalid', 'the classic builder has no outputs but the image');
  const options = request.query
    .getAll('securityopt')
    .filter((text) => text !== '' && text !== '[]' && text !== 'null');
  if (options.length > 0)
    throw new EngineError(
      'invalid',
      'The daemon on this platform does not support setting security options on build',
    );
}

export function jsonParam(request: ApiRequest, name: string): unknown {
  const text = textParam(request, name);
  if (text === undefined || text === 'null' || text === '[]' || text === '{}') return undefined;
  try {
    return parseJson(text, { maxLength: MAX_PARAMETER, maxDepth: 8 });
  } catch (error) {
    throw new EngineError(
      'invalid',
      `error reading ${name}: ${error instanceof Error ? error.message : ''}`,
      { cause: error },
    );
  }
}

/** A JSON object of strings; what is null is left out: its value was the client's to give. */
export function stringMap(request: ApiRequest, name: string): Map<string, string> {
  const value = jsonParam(request, name);
  if (value === undefined) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name);
  const map = new Map<string, string>();
  for (const [key, one] of Object.entries(value)) {
    if (typeof one === 'string') map.set(key, one);
    else if (one !== null) throw wrong(name);
  }
  return map;
}

function wrong(name: string): EngineError {
  return new EngineError('invalid', `error reading ${name}: must be a JSON object of strings`);
}

function networkMode(request: ApiRequest): string {
  const mode = textParam(request, 'networkmode') ?? '';
  if (mode.startsWith('container:'))
    throw new EngineError('not-implemented', 'building on the network of a container is not implemented yet');
  return mode === 'default' ? '' : mode;
}

/** Comma-separated, or given several times. */
export function extraHosts(request: ApiRequest): string[] {
  return request.query
    .getAll('extrahosts')
    .flatMap((text) => text.split(','))
    .filter((text) => text !== '');
}

function limits(request: ApiRequest): Partial<StepLimits> {
  const number = (name: string): number => intParam(request, name) ?? 0;
  return {
    memoryBytes: BigInt(number('memory')),
    memorySwapBytes: BigInt(number('memswap')),
    cpuShares: number('cpushares'),
    cpuPeriod: number('cpuperiod'),
    cpuQuota: number('cpuquota'),
    cpusetCpus: textParam(request, 'cpusetcpus') ?? '',
    cpusetMems: textParam(request, 'cpusetmems') ?? '',
    cgroupParent: textParam(request, 'cgroupparent') ?? '',
    shmSizeBytes: number('shmsize'),
    ulimits: ulimits(request),
  };
}

export function ulimits(request: ApiRequest): { name: string; soft: number; hard: number }[] {
  const value = jsonParam(request, 'ulimits');
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new EngineError('invalid', 'error reading ulimit settings');
  return value.map((one: unknown) => {
    const fields = one as { Name?: unknown; Soft?: unknown; Hard?: unknown };
    const { Name: name, Soft: soft, Hard: hard } = fields ?? {};
    if (typeof name !== 'string') throw new EngineError('invalid', 'error reading ulimit settings');
    return { name, soft: Number(soft ?? 0), hard: Number(hard ?? 0) };
  });
}

/** `X-Registry-Config`: credentials by registry. What can't be read is none, as in Docker. */
export function registryConfig(request: ApiRequest): Map<string, RegistryCredentials> {
  const header = request.headers['x-registry-config'];
  const text = Array.isArray(header) ? header[0] : header;
  const found = new Map<string, RegistryCredentials>();
  if (text === undefined || text === '') return found;
  try {
    const bytes = Buffer.from(text.replaceAll('-', '+').replaceAll('_', '/'), 'base64');
    const value = parseJson(bytes.toString('utf8'), { maxLength: MAX_PARAMETER, maxDepth: 4 });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return found;
    for (const [host, auth] of Object.entries(value)) found.set(host, credentialsOf(toAuthConfig(auth)));
  } catch {
    found.clear();
  }
  return found;
}
