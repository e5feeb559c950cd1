import type {
  BuildOutput,
  BuildRequest,
  CacheSource,
  CacheTarget,
  MainContext,
  NamedContext,
  StepLimits,
} from '../../builder/build-request.ts';
import type { BuildSession } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { type Platform, parsePlatform } from '../../oci/platform.ts';
import { splitCsv } from './csv.ts';

export type Attributes = Readonly<Record<string, string>>;

/** What a client says of a build beside the attributes of its frontend. */
export interface BuildEnvelope {
  session: BuildSession;
  outputs: readonly BuildOutput[];
  cacheFrom: readonly CacheSource[];
  cacheTo: readonly CacheTarget[];
  entitlements: readonly string[];
  /** What inputs of the client stand for, by their names. */
  inputs: ReadonlyMap<string, NamedContext>;
}

/**
 * A build as the Dockerfile frontend's attributes tell it, by BuildKit's names.
 *
 * @throws EngineError "invalid" in BuildKit's words.
 */
export function buildRequestOf(attributes: Attributes, envelope: BuildEnvelope): BuildRequest {
  const buildArgs = withPrefix(attributes, 'build-arg:');
  const noCache = attributes['no-cache'];
  return {
    session: envelope.session,
    context: mainContext(attributes, envelope.inputs),
    dockerfile: dockerfileOf(attributes, envelope.inputs),
    namedContexts: namedContexts(attributes, envelope.inputs),
    target: attributes.target ?? '',
    platforms: platformsOf(attributes.platform ?? ''),
    buildArgs,
    labels: withPrefix(attributes, 'label:'),
    noCache: noCache === '',
    noCacheStages: noCache === undefined || noCache === '' ? [] : noCache.split(','),
    pull: attributes['image-resolve-mode'] === 'pull',
    cacheFrom: distinct([...envelope.cacheFrom, ...cacheImports(attributes)]),
    cacheTo: envelope.cacheTo,
    outputs: envelope.outputs,
    network: networkOf(attributes['force-network-mode'] ?? ''),
    extraHosts: splitCsv(attributes['add-hosts'] ?? '').map((field) => field.replace('=', ':')),
    limits: limitsOf(attributes),
    entitlements: envelope.entitlements,
    attestations: attestationsOf(attributes),
    checkOnly: false,
    describe: describeOf(attributes.requestid),
    sourceDateEpoch: buildArgs.get('SOURCE_DATE_EPOCH'),
    parameters: withoutInputs(attributes),
  };
}

function describeOf(request: string | undefined): BuildRequest['describe'] {
  const kinds = ['outline', 'targets', 'lint'] as const;
  return kinds.find((kind) => request === `frontend.${kind}`);
}

/** Names of a client's inputs and sessions are no parameters. */
function withoutInputs(attributes: Attributes): Record<string, string> {
  const isPart = (name: string): boolean =>
    /^(attest:|input:|cache-imports$|cache-from$|contextkey$|dockerfilekey$|requestid$|context$)/.test(name);
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !isPart(name)));
}

function withPrefix(attributes: Attributes, prefix: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), value);
  return found;
}

/** A URL of the client's comes before an input. */
function mainContext(attributes: Attributes, inputs: ReadonlyMap<string, NamedContext>): MainContext {
  const url = contextUrl(attributes);
  if (url !== undefined) return { type: 'remote', url };
  const input = inputs.get('context');
  if (input === undefined) return { type: 'local' };
  if (input.type === 'remote') return input;
  throw new EngineError('not-implemented', 'a build context that is a build result');
}

function contextUrl(attributes: Attributes): string | undefined {
  const text = attributes[attributes.contextkey ?? 'context'] ?? '';
  const isUrl = /^(https?:\/\/|git:\/\/|ssh:\/\/|git@)/.test(text) || /^[^/:]+@[^/:]+:/.test(text);
  return isUrl ? text : undefined;
}

/**
 * Of a remote context it's in there, unless the client says where it has one of its own: beside its other files, or with them. Beside a context that is
 * an input it's an input too, or the client's own.
 */
function dockerfileOf(
  attributes: Attributes,
  inputs: ReadonlyMap<string, NamedContext>,
): BuildRequest['dockerfile'] {
  const path = attributes.filename ?? 'Dockerfile';
  const { dockerfilekey: key } = attributes;
  if (key === 'context') return { from: 'context', path };
  if (key !== undefined) return { from: 'session', path };
  if (contextUrl(attributes) !== undefined) return { from: 'context', path };
  const [context, dockerfile] = [inputs.get('context'), inputs.get('dockerfile')];
  if (dockerfile === undefined) return { from: 'session', path };
  if (context?.type === 'remote' && dockerfile.type === 'remote' && context.url === dockerfile.url)
    return { from: 'context', path };
  throw new EngineError('not-implemented', 'a Dockerfile from another place than its context');
}

function namedContexts(
  attributes: Attributes,
  inputs: ReadonlyMap<string, NamedContext>,
): Map<string, NamedContext> {
  const named = new Map<string, NamedContext>();
  for (const [name, value] of withPrefix(attributes, 'context:'))
    named.set(name, namedContext(name, value, inputs));
  return named;
}

function namedContext(name: string, value: string, inputs: ReadonlyMap<string, NamedContext>): NamedContext {
  const at = value.indexOf(':');
  const [scheme, rest] = [value.slice(0, at), value.slice(at + 1)];
  switch (at < 0 ? '' : scheme) {
    case 'docker-image':
      return { type: 'image', reference: rest.replace(/^\/\//, '') };
    case 'local':
      return { type: 'local', name: rest };
    case 'oci-layout':
      return { type: 'oci-layout', reference: rest.replace(/^\/\//, '') };
    case 'input': {
      const input = inputs.get(rest);
      if (input === undefined) throw new EngineError('invalid', `invalid input ${rest} for ${name}`);
      return input;
    }
    case '':
      throw new EngineError('invalid', `invalid context specifier ${value} for ${name}`);
    default:
      if (/^(https?|git|ssh)$/.test(scheme) || scheme.startsWith('git@'))
        return { type: 'remote', url: value };
      throw new EngineError('invalid', `unsupported context source ${scheme} for ${name}`);
  }
}

function platformsOf(text: string): Platform[] {
  return text === '' ? [] : text.split(',').map((one) => parsePlatform(one));
}

function networkOf(mode: string): string {
  if (mode === '' || mode === 'sandbox') return '';
  if (mode === 'none' || mode === 'host') return mode;
  throw new EngineError('invalid', `invalid netmode ${mode}`);
}

function limitsOf(attributes: Attributes): Partial<StepLimits> {
  const limits: Partial<StepLimits> = {};
  const number = (name: string): number | undefined => {
    const text = attributes[name] ?? '';
    if (text === '') return undefined;
    if (!/^-?\d{1,18}$/.test(text)) throw new EngineError('invalid', `invalid ${name} value: ${text}`);
    return Number(text);
  };
  const set = <K extends keyof StepLimits>(key: K, value: StepLimits[K] | undefined): void => {
    if (value !== undefined) limits[key] = value;
  };
  const big = (value: number | undefined): bigint | undefined =>
    value === undefined ? undefined : BigInt(value);
  set('memoryBytes', big(number('memory')));
  set('memorySwapBytes', big(number('memswap')));
  set('cpuShares', number('cpushares'));
  set('cpuPeriod', number('cpuperiod'));
  set('cpuQuota', number('cpuquota'));
  set('cpusetCpus', attributes.cpusetcpus);
  set('cpusetMems', attributes.cpusetmems);
  set('cgroupParent', attributes['cgroup-parent']);
  set('shmSizeBytes', number('shm-size'));
  const ulimits = splitCsv(attributes.ulimit ?? '').map(ulimitOf);
  if (ulimits.length > 0) limits.ulimits = ulimits;
  return limits;
}

function ulimitOf(text: string): { name: string; soft: number; hard: number } {
  const [, name = '', soft = '', hard] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (name === '')
    throw new EngineError('invalid', `failed to parse ulimit: invalid ulimit argument: ${text}`);
  return { name, soft: Number(soft), hard: Number(hard ?? soft) };
}

function attestationsOf(attributes: Attributes): Map<'provenance' | 'sbom', Record<string, string>> {
  const wanted = new Map<'provenance' | 'sbom', Record<string, string>>();
  for (const kind of ['provenance', 'sbom'] as const) {
    const text = attributes[`attest:${kind}`];
    if (text === undefined) continue;
    const fields = pairsOf(splitCsv(text));
    const { disabled, type: _, ...others } = fields;
    if (disabled === undefined || disabled === 'false') wanted.set(kind, others);
  }
  return wanted;
}

function pairsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    fields.map((field) => {
      const at = field.indexOf('=');
      return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

/** Clients name one cache in several places. */
function distinct(sources: readonly CacheSource[]): CacheSource[] {
  const sorted = ({ type, attributes: own }: CacheSource): string =>
    JSON.stringify([type, Object.entries(own).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return [...new Map(sources.map((source) => [sorted(source), source])).values()];
}

function cacheImports(attributes: Attributes): CacheSource[] {
  const sources: CacheSource[] = [];
  const text = attributes['cache-imports'] ?? '';
  if (text !== '') {
    for (const { Type, Attrs } of parseCacheImports(text)) sources.push(cacheSource(Type, Attrs));
  }
  for (const reference of (attributes['cache-from'] ?? '').split(',').filter(Boolean))
    sources.push({ type: 'registry', attributes: { ref: reference } });
  return sources;
}

function parseCacheImports(text: string): { Type: string; Attrs: Record<string, string> }[] {
  try {
    return (JSON.parse(text) as { Type?: string; Attrs?: Record<string, string> }[]).map((entry) => ({
      Type: entry.Type ?? '',
      Attrs: entry.Attrs ?? {},
    }));
  } catch (error) {
    throw new EngineError('invalid', `failed to unmarshal cache-imports (${JSON.stringify(text)})`, {
      cause: error,
    });
  }
}

/** @throws EngineError "not-implemented" for a kind of cache that isn't there. */
export function cacheSource(type: string, attributes: Record<string, string>): CacheSource {
  if (type === 'registry' || type === 'local' || type === 'inline') return { type, attributes };
  throw new EngineError('not-implemented', `unknown cache type: ${JSON.stringify(type)}`);
}

export function cacheTarget(type: string, attributes: Record<string, string>): CacheTarget {
  const mode = attributes.mode ?? 'min';
  if (mode !== 'min' && mode !== 'max')
    throw new EngineError('invalid', `unsupported cache export mode: ${mode}`);
  return { ...cacheSource(type, attributes), mode };
}
