import { EngineError } from '../../../errors/engine-error.ts';
import { parseReference } from '../../../oci/reference.ts';
import type { BuildRequestJson } from '../../../wire/build.ts';
import { parseByteSize } from '../../../wire/byte-size.ts';
import type { CliContext } from '../../context.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { proxyVariables } from '../../proxy-variables.ts';
import { parseUlimit } from '../container/create-options/ulimits.ts';
import { attestationsOf, cacheEntries } from './build-options.ts';
import type { WantedOutput } from './build-outputs.ts';
import type { PreparedContext } from './build-parts.ts';

/** What another builder would take and this one can't yet: never passed over in silence. */
export function refuseUnbuilt(flags: ParsedFlags): void {
  const { call, format } = callOf(flags);
  if (!['text', 'json'].includes(format)) throw new EngineError('invalid', `unsupported format ${format}`);
  if (!['build', 'check', 'lint', 'outline', 'targets'].includes(call))
    throw new EngineError('not-implemented', `--call=${call} is not implemented yet`);
}

/** `outline,format=json` */
export function callOf(flags: ParsedFlags): { call: string; format: string } {
  const [call = 'build', ...fields] = flags.string('call').split(',');
  const format = fields.find((field) => field.startsWith('format='))?.slice('format='.length) ?? 'text';
  return { call, format };
}

export function isDescription(call: string): boolean {
  return call === 'outline' || call === 'targets';
}

export function requestOf(
  flags: ParsedFlags,
  parts: {
    prepared: PreparedContext;
    outputs: readonly WantedOutput[];
    named: BuildRequestJson['namedContexts'];
    context: CliContext;
  },
): BuildRequestJson {
  const { prepared, outputs, named, context } = parts;
  const network = flags.string('network');
  const { call } = callOf(flags);
  const platforms = flags.list('platform');
  const platform = context.env.DOCKER_DEFAULT_PLATFORM ?? '';
  for (const name of flags.list('tag')) parseReference(name);
  return {
    context: prepared.context,
    dockerfile: prepared.dockerfile,
    namedContexts: named,
    target: flags.string('target'),
    platforms: platforms.length > 0 ? platforms : platform === '' ? [] : [platform],
    buildArgs: buildArgs(flags, context),
    labels: flags.map('label'),
    noCache: flags.bool('no-cache'),
    noCacheStages: flags.list('no-cache-filter'),
    pull: flags.bool('pull'),
    outputs: outputs.map(({ json }) => json),
    cacheFrom: cacheEntries(flags, 'cache-from'),
    cacheTo: cacheEntries(flags, 'cache-to'),
    attestations: attestationsOf(flags),
    network,
    extraHosts: flags.list('add-host'),
    limits: limitsOf(flags),
    entitlements: flags.list('allow'),
    checkOnly: flags.bool('check') || ['check', 'lint'].includes(call),
    ...(isDescription(call) ? { describe: call as 'outline' } : {}),
  };
}

/** A bare `NAME` takes the environment's value, where there is one; SOURCE_DATE_EPOCH unasked, as with buildx. */
function buildArgs(flags: ParsedFlags, context: CliContext): Record<string, string> {
  const given = flags.list('build-arg').map((text) => text.split('=', 1)[0] ?? '');
  const epoch = context.env['SOURCE_DATE_EPOCH'];
  return Object.fromEntries([
    ...proxyVariables(context, given),
    ...(epoch === undefined || given.includes('SOURCE_DATE_EPOCH') ? [] : [['SOURCE_DATE_EPOCH', epoch]]),
    ...flags.list('build-arg').flatMap((text): [string, string][] => {
      const at = text.indexOf('=');
      if (at >= 0) return [[text.slice(0, at), text.slice(at + 1)]];
      const value = context.env[text];
      return value === undefined ? [] : [[text, value]];
    }),
  ]);
}

function limitsOf(flags: ParsedFlags): BuildRequestJson['limits'] {
  const bytes = (name: string): bigint => {
    const size = parseByteSize(flags.string(name));
    if (typeof size === 'string') throw new EngineError('invalid', size);
    return size;
  };
  return {
    memory: String(bytes('memory')),
    memorySwap: String(bytes('memory-swap')),
    cpuShares: flags.int('cpu-shares'),
    cpuPeriod: flags.int('cpu-period'),
    cpuQuota: flags.int('cpu-quota'),
    cpusetCpus: flags.string('cpuset-cpus'),
    cpusetMems: flags.string('cpuset-mems'),
    cgroupParent: flags.string('cgroup-parent'),
    shmSize: Number(bytes('shm-size')),
    ulimits: flags.list('ulimit').map((text) => {
      const ulimit = parseUlimit(text);
      if (typeof ulimit === 'string') throw new EngineError('invalid', ulimit);
      return { name: ulimit.Name, soft: Number(ulimit.Soft), hard: Number(ulimit.Hard) };
    }),
  };
}
