import { EngineError } from '../../../../errors/engine-error.ts';
import { parseByteSize } from '../../../../wire/byte-size.ts';
import type { CliContext } from '../../../context.ts';
import { parseCpus } from '../../../flags/cpus.ts';
import type { ParsedFlags } from '../../../flags/flag-set.ts';
import { parseInteger } from '../../../flags/flag-value.ts';
import { proxyVariables } from '../../../proxy-variables.ts';
import { splitHost } from './checks.ts';
import { parseDeviceLimit, parseDeviceRate, parseDeviceWeight } from './device-limits.ts';
import { readEnvironment } from './environment.ts';
import { parseGpus } from './gpus.ts';
import { parseHealthAction, parseHealthcheck } from './healthcheck.ts';
import { parseMount } from './mounts.ts';
import { parseNetworking } from './networking.ts';
import { type PortRequests, parseExpose, parsePublish } from './ports.ts';
import { parseRestartPolicy } from './restart-policy.ts';
import { parseSecurityOptions } from './security.ts';
import { readKeyValueFile } from './text-files.ts';
import { parseUlimit, type Ulimit } from './ulimits.ts';
import { isCdiDevice, parseDevice, parseTmpfs, parseVolumes } from './volumes.ts';

/** The body of `POST /containers/create`, field by field and in the order in which the stock client sends it. */
export interface CreateBody {
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Image: string;
  HostConfig: { AutoRemove: boolean; ConsoleSize: [number, number]; [field: string]: unknown };
  [field: string]: unknown;
}

/** @throws EngineError "invalid" in Docker's words, where flags are wrong by themselves or together. */
export async function createBody(
  flags: ParsedFlags,
  args: readonly string[],
  context: CliContext,
): Promise<CreateBody> {
  const [image = '', ...command] = args;
  checkConflicts(flags);
  const attach = attachStreams(flags);
  const ports = parsePublish(flags.list('publish'));
  const exposed = sortKeys({ ...ports.exposed, ...parseExpose(flags.list('expose')) });
  const volumes = parseVolumes(flags.list('volume'), { cwd: context.cwd });
  const networking = parseNetworking(flags);
  const healthcheck = parseHealthcheck(flags);
  const interactive = flags.bool('interactive');
  const given = await readEnvironment(flags, context);
  const names = given.map((entry) => entry.split('=', 1)[0] ?? '');
  const environment = [...given, ...proxyVariables(context, names).map((pair) => pair.join('='))];
  const config = {
    Hostname: flags.string('hostname'),
    Domainname: flags.string('domainname'),
    User: flags.string('user'),
    ...attach,
    ...(Object.keys(exposed).length === 0 ? {} : { ExposedPorts: exposed }),
    Tty: flags.bool('tty'),
    OpenStdin: interactive,
    StdinOnce: interactive && attach.AttachStdin,
    Env: orNull(environment),
    Cmd: orNull(command),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    Image: image,
    Volumes: volumes.volumes,
    WorkingDir: flags.string('workdir'),
    Entrypoint: flags.changed('entrypoint') ? [flags.string('entrypoint')] : null,
    OnBuild: null,
    Labels: await readLabels(flags),
    ...(flags.string('stop-signal') === '' ? {} : { StopSignal: flags.string('stop-signal') }),
    ...(flags.changed('stop-timeout') ? { StopTimeout: flags.int('stop-timeout') } : {}),
  };
  const hostConfig = await hostConfigOf(flags, {
    context,
    ports,
    binds: volumes.binds,
    networkMode: networking.mode,
  });
  return {
    ...config,
    HostConfig: hostConfig,
    NetworkingConfig: { EndpointsConfig: sortKeys(networking.endpoints) },
  };
}

function checkConflicts(flags: ParsedFlags): void {
  if (flags.list('storage-opt').some((option) => !option.includes('=')))
    throw new EngineError('invalid', 'invalid storage option');
  const swappiness = flags.int('memory-swappiness');
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    throw new EngineError('invalid', `invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  const restart = parseRestartPolicy(flags.string('restart')).Name;
  if (flags.bool('rm') && restart !== '' && restart !== 'no')
    throw new EngineError('invalid', 'conflicting options: cannot specify both --restart and --rm');
  for (const [name, allowed] of [
    ['pid', /^(?:|host|container:.+)$/],
    ['uts', /^(?:|host)$/],
    ['userns', /^(?:|host)$/],
    ['cgroupns', /^(?:|host|private)$/],
  ] as const) {
    const label = { pid: 'PID', uts: 'UTS', userns: 'USER', cgroupns: 'CGROUP' }[name];
    if (!allowed.test(flags.string(name)))
      throw new EngineError('invalid', `--${name}: invalid ${label} mode`);
  }
}

/** Without `-a` the output streams are attached; the input with `-i` in any case; `-d` attaches none. */
function attachStreams(flags: ParsedFlags) {
  const named = flags.list('attach').map((stream) => stream.toLowerCase());
  const detached = flags.bool('detach');
  const interactive = flags.bool('interactive');
  if (detached || named.length > 0)
    return {
      AttachStdin: !detached && (interactive || named.includes('stdin')),
      AttachStdout: !detached && named.includes('stdout'),
      AttachStderr: !detached && named.includes('stderr'),
    };
  return { AttachStdin: interactive, AttachStdout: true, AttachStderr: true };
}

async function readLabels(flags: ParsedFlags): Promise<Record<string, string>> {
  const entries: string[] = [];
  for (const file of flags.list('label-file'))
    entries.push(...(await readKeyValueFile(file, () => undefined)));
  const shared = flags.bool('publish-shared') ? ['com.sampan.publish.shared=true'] : [];
  return toMap([...entries, ...flags.list('label'), ...shared]);
}

interface HostParts {
  context: CliContext;
  ports: PortRequests;
  binds: string[] | null;
  networkMode: string;
}

async function hostConfigOf(flags: ParsedFlags, parts: HostParts) {
  const security = await parseSecurityOptions(flags.list('security-opt'));
  const mounts = flags.list('mount').map((text) => required(parseMount(text, parts.context.cwd)));
  const tmpfs = parseTmpfs(flags.list('tmpfs'));
  const storage = toMap(flags.list('storage-opt'));
  const runtime = flags.string('runtime');
  return {
    Binds: parts.binds,
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: { Type: flags.string('log-driver'), Config: logOptions(flags) },
    NetworkMode: parts.networkMode,
    PortBindings: sortKeys(parts.ports.bindings),
    RestartPolicy: parseRestartPolicy(flags.string('restart')),
    ...parseHealthAction(flags),
    AutoRemove: flags.bool('rm'),
    VolumeDriver: flags.string('volume-driver'),
    VolumesFrom: orNull(flags.list('volumes-from')),
    ConsoleSize: [0, 0] as [number, number],
    ...optional('Annotations', flags.map('annotation')),
    CapAdd: capabilities(flags.list('cap-add')),
    CapDrop: capabilities(flags.list('cap-drop')),
    CgroupnsMode: flags.string('cgroupns'),
    Dns: flags.list('dns'),
    DnsOptions: [...flags.list('dns-option'), ...flags.list('dns-opt')],
    DnsSearch: flags.list('dns-search'),
    ExtraHosts: orNull(flags.list('add-host').map(extraHost)),
    GroupAdd: orNull(flags.list('group-add')),
    IpcMode: flags.string('ipc'),
    Cgroup: '',
    Links: orNull(flags.list('link')),
    OomScoreAdj: flags.int('oom-score-adj'),
    PidMode: flags.string('pid'),
    Privileged: flags.bool('privileged'),
    PublishAllPorts: flags.bool('publish-all'),
    ReadonlyRootfs: flags.bool('read-only'),
    SecurityOpt: security.options,
    ...optional('StorageOpt', storage),
    ...(tmpfs === undefined ? {} : { Tmpfs: sortKeys(tmpfs) }),
    UTSMode: flags.string('uts'),
    UsernsMode: flags.string('userns'),
    ShmSize: bytes(flags, 'shm-size'),
    ...optional('Sysctls', flags.map('sysctl')),
    ...(runtime === '' ? {} : { Runtime: runtime }),
    Isolation: flags.string('isolation'),
    ...resources(flags),
    ...(mounts.length === 0 ? {} : { Mounts: mounts }),
    MaskedPaths: security.maskedPaths,
    ReadonlyPaths: security.readonlyPaths,
    ...(flags.changed('init') ? { Init: flags.bool('init') } : {}),
  };
}

function resources(flags: ParsedFlags) {
  const each = <T>(name: string, parse: (text: string) => T | string): T[] =>
    flags.list(name).map((text) => required(parse(text)));
  const swappiness = flags.int('memory-swappiness');
  const gpus = flags.list('gpus').map((text) => required(parseGpus(text)));
  return {
    CpuShares: integer(flags, 'cpu-shares'),
    Memory: bytes(flags, 'memory'),
    NanoCpus: parseCpus(flags.string('cpus')),
    CgroupParent: flags.string('cgroup-parent'),
    BlkioWeight: flags.int('blkio-weight'),
    BlkioWeightDevice: each('blkio-weight-device', parseDeviceWeight),
    BlkioDeviceReadBps: each('device-read-bps', parseDeviceRate),
    BlkioDeviceWriteBps: each('device-write-bps', parseDeviceRate),
    BlkioDeviceReadIOps: each('device-read-iops', parseDeviceLimit),
    BlkioDeviceWriteIOps: each('device-write-iops', parseDeviceLimit),
    CpuPeriod: integer(flags, 'cpu-period'),
    CpuQuota: integer(flags, 'cpu-quota'),
    CpuRealtimePeriod: integer(flags, 'cpu-rt-period'),
    CpuRealtimeRuntime: integer(flags, 'cpu-rt-runtime'),
    CpusetCpus: flags.string('cpuset-cpus'),
    CpusetMems: flags.string('cpuset-mems'),
    Devices: flags
      .list('device')
      .filter((name) => !isCdiDevice(name))
      .map(parseDevice),
    DeviceCgroupRules: orNull(flags.list('device-cgroup-rule')),
    DeviceRequests: orNull([...gpus, ...cdiRequests(flags.list('device'))]),
    MemoryReservation: bytes(flags, 'memory-reservation'),
    MemorySwap: bytes(flags, 'memory-swap'),
    MemorySwappiness: swappiness,
    OomKillDisable: flags.bool('oom-kill-disable'),
    PidsLimit: integer(flags, 'pids-limit'),
    Ulimits: ulimits(flags.list('ulimit')),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

/** Devices that the daemon looks up in the host's CDI specifications. */
function cdiRequests(devices: readonly string[]) {
  const names = devices.filter(isCdiDevice);
  if (names.length === 0) return [];
  return [{ Driver: 'cdi', Count: 0, DeviceIDs: names, Capabilities: null, Options: null }];
}

/** Sorted by name; of several of one name the last counts. */
function ulimits(values: readonly string[]): Ulimit[] {
  const byName = new Map(
    values.map((value) => required(parseUlimit(value))).map((ulimit) => [ulimit.Name, ulimit]),
  );
  return [...byName.values()].toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
}

function capabilities(values: readonly string[]): string[] | null {
  const normal = values.map((value) => {
    const upper = value.toUpperCase();
    return upper === 'ALL' || upper === 'RESET' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  });
  return orNull([...new Set(normal)].sort());
}

function extraHost(value: string): string {
  const { host, address } = splitHost(value) ?? { host: value, address: '' };
  return `${host}:${address.replace(/^\[(.*)\]$/, '$1')}`;
}

function logOptions(flags: ParsedFlags): Record<string, string> {
  const options = flags.list('log-opt');
  if (flags.string('log-driver') === 'none' && options.length > 0)
    throw new EngineError('invalid', 'invalid logging opts for driver none');
  return toMap(options);
}

function toMap(entries: readonly string[]): Record<string, string> {
  const pairs = entries.map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return sortKeys(Object.fromEntries(pairs));
}

function optional(name: string, map: Record<string, string>): Record<string, Record<string, string>> {
  return Object.keys(map).length === 0 ? {} : { [name]: sortKeys(map) };
}

function sortKeys<T>(map: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function orNull<T>(list: T[]): T[] | null {
  return list.length === 0 ? null : list;
}

function bytes(flags: ParsedFlags, name: string): bigint {
  const size = parseByteSize(flags.string(name));
  return typeof size === 'bigint' ? size : 0n;
}

function integer(flags: ParsedFlags, name: string): bigint {
  return parseInteger(flags.string(name)) ?? 0n;
}

function required<T>(parsed: T | string): T {
  if (typeof parsed === 'string') throw new EngineError('invalid', parsed);
  return parsed;
}
