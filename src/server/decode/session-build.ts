import type { SessionBuild } from '../../buildkit/buildkit-endpoint.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { type ApiRequest, boolParam, intParam, textParam } from '../api-request.ts';
import { extraHosts, jsonParam, stringMap, ulimits } from './build-query.ts';

/** `POST /build?version=2`, but for an uploaded context. @throws EngineError "invalid". */
export function sessionBuild(request: ApiRequest): SessionBuild {
  const sessionId = textParam(request, 'session');
  if (sessionId === undefined) throw new EngineError('invalid', 'a build of version 2 needs a session');
  const buildArgs = stringMap(request, 'buildargs');
  return {
    sessionId,
    attributes: { ...attributes(request), ...prefixed('build-arg:', buildArgs) },
    exporter: exporter(request),
    entitlements: textParam(request, 'networkmode') === 'host' ? ['network.host'] : [],
    inlineCache: /^(1|t|true)$/i.test(buildArgs.get('BUILDKIT_INLINE_CACHE') ?? ''),
    context: undefined,
  };
}

function attributes(request: ApiRequest): Record<string, string> {
  const set = (name: string, value: string | undefined): Record<string, string> =>
    value === undefined || value === '' ? {} : { [name]: value };
  const remote = textParam(request, 'remote');
  const isUrl = remote !== undefined && remote !== 'client-session' && remote !== 'upload-request';
  const dockerfile = textParam(request, 'dockerfile');
  return {
    ...set('target', textParam(request, 'target')),
    ...set('filename', dockerfile === '.' ? undefined : dockerfile),
    ...set('context', isUrl ? remote : undefined),
    ...set('cache-from', strings(request, 'cachefrom').join(',')),
    ...prefixed('label:', stringMap(request, 'labels')),
    ...(boolParam(request, 'nocache') ? { 'no-cache': '' } : {}),
    'image-resolve-mode': boolParam(request, 'pull') ? 'pull' : 'default',
    ...set('platform', textParam(request, 'platform')),
    ...set('force-network-mode', network(request)),
    ...set('add-hosts', extraHosts(request).map(hostPair).join(',')),
    ...set('shm-size', positive(intParam(request, 'shmsize'))),
    ...set(
      'ulimit',
      ulimits(request)
        .map(({ name, soft, hard }) => `${name}=${soft}:${hard}`)
        .join(','),
    ),
  };
}

/** `name:address` as BuildKit has it. */
function hostPair(text: string): string {
  return text.replace(/[:=]/, '=');
}

function positive(value: number | undefined): string | undefined {
  return value === undefined || value <= 0 ? undefined : String(value);
}

function network(request: ApiRequest): string | undefined {
  const mode = textParam(request, 'networkmode') ?? '';
  if (mode === 'host' || mode === 'none') return mode;
  if (mode === '' || mode === 'default') return undefined;
  throw new EngineError('invalid', `network mode ${JSON.stringify(mode)} not supported by buildkit`);
}

function prefixed(prefix: string, values: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...values].map(([name, value]) => [`${prefix}${name}`, value]));
}

function strings(request: ApiRequest, name: string): string[] {
  const value = jsonParam(request, name);
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw new EngineError('invalid', `error reading ${name}: must be a JSON array of strings`);
  return value;
}

function exporter(request: ApiRequest): SessionBuild['exporter'] {
  const asked = jsonParam(request, 'outputs');
  const names = request.query
    .getAll('t')
    .filter((name) => name !== '')
    .join(',');
  if (asked === undefined) return { type: 'moby', attributes: names === '' ? {} : { name: names } };
  if (!Array.isArray(asked)) throw new EngineError('invalid', 'error reading outputs: must be a JSON array');
  if (asked.length > 1) throw new EngineError('invalid', 'multiple outputs not supported');
  const { Type: type, Attrs: attrs } = (asked[0] ?? {}) as {
    Type?: unknown;
    Attrs?: Record<string, string> | null;
  };
  if (typeof type !== 'string')
    throw new EngineError('invalid', 'error reading outputs: an output has no type');
  if (type === 'cacheonly') return undefined;
  const isImage = type === 'image' || type === 'moby';
  return { type, attributes: { ...attrs, ...(isImage && names !== '' ? { name: names } : {}) } };
}
