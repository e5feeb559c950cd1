import { isIP } from 'node:net';
import type { CacheCollection } from '../builder/solver/prune-cache.ts';
import type { Flag } from '../cli/flags/flag.ts';
import { type ParsedFlags, parseFlags } from '../cli/flags/flag-set.ts';
import { journalLimits } from '../containers/logs/journal-limits.ts';
import { checkLogOptions, type LogConfig } from '../containers/logs/log-options.ts';
import { EngineError } from '../errors/engine-error.ts';
import type { SubnetPool } from '../network/subnet-pools.ts';
import type { RegistrySettings } from '../registry/client/registry-client.ts';
import { DEFAULT_CDI_FOLDERS } from '../runtime/cdi/cdi-registry.ts';
import { addressPools } from './address-pools.ts';
import { buildCacheSettings } from './build-cache-settings.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { type ContainerSettings, containerSettings } from './container-settings.ts';
import { embeddedRegistry } from './embedded-registry/embedded-settings.ts';
import type { RegistryOptions } from './embedded-registry/start-registry.ts';
import { type MetricsAddress, parseMetricsAddress } from './metrics/metrics-server.ts';
import { proxyOf } from './proxy-environment.ts';
import type { RegistryDaemonSettings } from './registry-access.ts';
import { checkInsecure, checkMirror, checkRegistries } from './registry-settings.ts';
import { settings } from './setting-table.ts';

/** How this daemon runs, flags and file joined. */
export interface DaemonSettings {
  hosts: string[];
  dataRoot: string;
  execRoot: string;
  pidFile: string;
  group: string;
  bip: string | undefined;
  /** What `host-gateway` stands for; undefined: the address of the container's bridge. */
  hostGateway: string | undefined;
  bridge: string | undefined;
  /** Subnets of networks that name none; undefined: Docker's. */
  addressPools: SubnetPool[] | undefined;
  mtu: number;
  /** Turn on forwarding where it is off. */
  ipForward: boolean;
  /** What is turned on makes the machine a router for everybody. */
  ipForwardNoDrop: boolean;
  storageDriver: 'auto' | 'erofs' | 'overlay';
  defaultRuntime: string | undefined;
  cgroupParent: string | undefined;
  containers: ContainerSettings;
  registryMirrors: string[];
  insecureRegistries: string[];
  /** By host, with port where it has one. */
  registries: Record<string, RegistrySettings>;
  maxDownloadAttempts: number;
  /** A file. */
  signaturePolicy: string | undefined;
  embeddedRegistry: RegistryOptions | undefined;
  maxConcurrentDownloads: number;
  maxConcurrentUploads: number;
  buildCache: CacheCollection;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  labels: string[];
  /** Of containers that say nothing of theirs. */
  containerLog: LogConfig;
  /** Where CDI specifications lie. */
  cdiFolders: string[];
  /** Whose subordinate ids containers have; '': the host's own ids. */
  usernsRemap: string;
  /** Where metrics are served; undefined: nowhere. */
  metrics: MetricsAddress | undefined;
  debug: boolean;
  logLevel: string;
  logFormat: 'text' | 'json';
  proxy: { http?: string; https?: string; no?: string };
  tls: { verify: boolean; caCert: string; cert: string; key: string } | undefined;
  /** TLS was declined in so many words: TCP is open to all. */
  isTcpOpen: boolean;
  configFile: string | undefined;
  warnings: string[];
}

const PROXY_KEYS = ['http-proxy', 'https-proxy', 'no-proxy'];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];
const DRIVERS: Record<string, DaemonSettings['storageDriver']> = {
  '': 'auto',
  auto: 'auto',
  erofs: 'erofs',
  overlay: 'overlay',
  overlay2: 'overlay',
};

/** The flags of sampand: those of the table, and those that have no key. */
export const daemonFlags: Flag[] = [
  {
    name: 'config-file',
    kind: 'string',
    usage: 'Daemon configuration file (default /etc/sampan/daemon.json, else /etc/docker/daemon.json)',
  },
  { name: 'validate', kind: 'bool', usage: 'Validate daemon configuration and exit' },
  { name: 'version', short: 'v', kind: 'bool', usage: 'Print version information and quit' },
  ...settings.flatMap(({ flag }): Flag[] => (flag === undefined ? [] : [{ ...flag }])),
];

/**
 * Read flags and file. A scalar given in both, or a list, is a conflict, as with dockerd.
 *
 * @throws EngineError "invalid", naming flag or key and value. UsageError on a malformed command line.
 */
export function readSettings(
  args: readonly string[],
  readFile: (named: string | undefined) => ConfigFile = readConfigFile,
): DaemonSettings {
  const flags = parseFlags(daemonFlags, args, { interspersed: true });
  const [unexpected] = flags.args;
  if (unexpected !== undefined)
    throw new EngineError('invalid', `sampand: unexpected argument ${JSON.stringify(unexpected)}`, {
      hint: "See 'sampand --help'.",
    });
  const file = readFile(flags.changed('config-file') ? flags.string('config-file') : undefined);
  refuseConflicts(flags, file);
  return settle(new Source(flags, file), file);
}

function refuseConflicts(flags: ParsedFlags, file: ConfigFile): void {
  const conflicts = settings.flatMap(({ key, flag }) => {
    if (flag === undefined || !flags.changed(flag.name) || !file.values.has(key)) return [];
    const given = flag.kind === 'list' ? `[${flags.list(flag.name).join(' ')}]` : flags.string(flag.name);
    const inFile = file.values.get(key);
    return [
      `${key}: (from flag: ${given}, from file: ${Array.isArray(inFile) ? `[${inFile.join(' ')}]` : String(inFile)})`,
    ];
  });
  if (conflicts.length === 0) return;
  throw new EngineError(
    'invalid',
    `unable to configure the daemon with file ${file.path}: the following directives are specified both as a flag and in the configuration file: ${conflicts.join(', ')}`,
  );
}

/** One value by key, from wherever it was given. */
class Source {
  readonly #flags: ParsedFlags;
  readonly #file: ConfigFile;

  constructor(flags: ParsedFlags, file: ConfigFile) {
    this.#flags = flags;
    this.#file = file;
  }

  string(key: string): string {
    const value = this.#file.values.get(key);
    return typeof value === 'string' ? value : this.#flags.string(flagName(key));
  }

  /** Of the file, as it stands there. */
  raw(key: string): unknown {
    return this.#file.values.get(key);
  }

  /** Undefined where it is empty. */
  optional(key: string): string | undefined {
    return this.string(key) || undefined;
  }

  number(key: string): number {
    const value = this.#file.values.get(key);
    return typeof value === 'number' ? value : this.#flags.int(flagName(key));
  }

  bool(key: string): boolean {
    const value = this.#file.values.get(key);
    return typeof value === 'boolean' ? value : this.#flags.bool(flagName(key));
  }

  /** In so many words. */
  declines(key: string): boolean {
    const isGiven = this.#file.values.has(key) || this.#flags.changed(flagName(key));
    return isGiven && !this.bool(key);
  }

  list(key: string): string[] {
    const value = this.#file.values.get(key);
    return Array.isArray(value) ? value.map(String) : this.#flags.list(flagName(key));
  }
}

function flagName(key: string): string {
  return settings.find((setting) => setting.key === key)?.flag?.name ?? key;
}

function hostGateway(text: string | undefined): string | undefined {
  if (text === undefined || isIP(text) !== 0) return text;
  throw new EngineError('invalid', `host-gateway-ip must be an IP address, not ${JSON.stringify(text)}`);
}

function settle(source: Source, file: ConfigFile): DaemonSettings {
  const hosts = source.list('hosts');
  return {
    hosts: hosts.length > 0 ? hosts : ['unix:///run/sampan.sock'],
    dataRoot: absolute('data-root', source.string('data-root')),
    execRoot: absolute('exec-root', source.string('exec-root')),
    pidFile: absolute('pidfile', source.string('pidfile')),
    group: source.string('group'),
    bip: source.optional('bip'),
    bridge: source.optional('bridge'),
    hostGateway: hostGateway(source.optional('host-gateway-ip')),
    addressPools: addressPools(
      file.values.get('default-address-pools'),
      source.list('default-address-pools'),
    ),
    mtu: source.number('mtu') || 1500,
    ipForward: source.bool('ip-forward'),
    ipForwardNoDrop: source.bool('ip-forward-no-drop'),
    storageDriver: storageDriver(source.string('storage-driver')),
    defaultRuntime: source.optional('default-runtime'),
    cgroupParent: source.optional('cgroup-parent'),
    containers: containerSettings(source),
    ...registries(source, file),
    signaturePolicy: signaturePolicy(source.string('signature-policy')),
    embeddedRegistry: embeddedRegistry((key) => source.string(key)),
    maxConcurrentDownloads: positive('max-concurrent-downloads', source.number('max-concurrent-downloads')),
    maxConcurrentUploads: positive('max-concurrent-uploads', source.number('max-concurrent-uploads')),
    buildCache: buildCacheSettings(file.values.get('builder')),
    dns: source.list('dns'),
    dnsSearch: source.list('dns-search'),
    dnsOptions: source.list('dns-opts'),
    labels: source.list('labels'),
    containerLog: containerLog(source, file),
    cdiFolders: cdiFolders(source),
    usernsRemap: source.string('userns-remap'),
    metrics: metricsAddress(source.optional('metrics-addr')),
    debug: source.bool('debug'),
    ...logging(source),
    proxy: proxySettings(source, file),
    tls: tlsSettings(source),
    isTcpOpen: source.declines('tls') || source.declines('tlsverify'),
    configFile: file.path,
    warnings: file.warnings,
  };
}

function registries(source: Source, file: ConfigFile): RegistryDaemonSettings {
  const insecure = source.list('insecure-registries');
  for (const entry of insecure)
    if (/^https?:\/\//i.test(entry)) {
      const scheme = `'${entry.slice(0, entry.indexOf('://') + 3).toLowerCase()}'`;
      file.warnings.push(
        `insecure registry ${entry} should not contain ${scheme} and ${scheme} has been removed from the insecure registry config`,
      );
    }
  return {
    registryMirrors: [...new Set(source.list('registry-mirrors').map(checkMirror))],
    insecureRegistries: [...new Set(insecure.map(checkInsecure))],
    registries: checkRegistries(file.values.get('registries')),
    maxDownloadAttempts: positive('max-download-attempts', source.number('max-download-attempts')),
  };
}

/** The part of the settings that SIGHUP reads anew. @throws EngineError "invalid"; the running settings then stay. */
export function reloadRegistries(args: readonly string[]): RegistryDaemonSettings {
  const { registryMirrors, insecureRegistries, registries, maxDownloadAttempts } = readSettings(args);
  return { registryMirrors, insecureRegistries, registries, maxDownloadAttempts };
}

function absolute(key: string, path: string): string {
  if (path.startsWith('/')) return path.replace(/(?<=.)\/+$/, '');
  throw new EngineError('invalid', `invalid ${key} ${JSON.stringify(path)}: it must be an absolute path`);
}

function signaturePolicy(path: string): string | undefined {
  return path === '' ? undefined : absolute('signature-policy', path);
}

function positive(key: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new EngineError('invalid', `invalid ${key}: ${value}`);
}

function storageDriver(text: string): DaemonSettings['storageDriver'] {
  const driver = Object.hasOwn(DRIVERS, text) ? DRIVERS[text] : undefined;
  if (driver !== undefined) return driver;
  throw new EngineError('invalid', `unknown storage-driver ${JSON.stringify(text)}`, {
    hint: 'Known are erofs, overlay and overlay2.',
  });
}

function logging(source: Source): Pick<DaemonSettings, 'logLevel' | 'logFormat'> {
  const logLevel = source.string('log-level');
  const logFormat = source.string('log-format');
  if (!LOG_LEVELS.includes(logLevel)) throw new EngineError('invalid', `invalid logging level: ${logLevel}`);
  if (logFormat !== 'text' && logFormat !== 'json')
    throw new EngineError('invalid', `invalid log format: ${logFormat}`);
  return { logLevel, logFormat };
}

/** @throws EngineError "invalid" for what no container could be started with. */
function containerLog(source: Source, file: ConfigFile): LogConfig {
  const inFile = file.values.get('log-opts') as Record<string, string> | undefined;
  const typed = source.list('log-opts').map((text): [string, string] => {
    const equals = text.indexOf('=');
    return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
  });
  const log = {
    type: source.string('log-driver') || 'json-file',
    config: inFile ?? Object.fromEntries(typed),
  };
  try {
    checkLogOptions(log);
    journalLimits(log);
  } catch (error) {
    throw new EngineError('invalid', `failed to set log opts: ${(error as Error).message}`, { cause: error });
  }
  return log;
}

function metricsAddress(text: string | undefined): MetricsAddress | undefined {
  return text === undefined ? undefined : parseMetricsAddress(text);
}

function cdiFolders(source: Source): string[] {
  const folders = source.list('cdi-spec-dirs');
  return folders.length > 0 ? folders : [...DEFAULT_CDI_FOLDERS];
}

function proxySettings(source: Source, file: ConfigFile): DaemonSettings['proxy'] {
  const nested = (file.values.get('proxies') ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(nested).filter((key) => !PROXY_KEYS.includes(key));
  if (unknown.length > 0)
    throw new EngineError(
      'invalid',
      `unable to configure the daemon with file ${file.path}: the following directives don't match any configuration option: ${unknown.join(', ')}`,
    );
  return proxyOf((key) => {
    const fromFile = nested[key];
    return source.string(key) || (typeof fromFile === 'string' ? fromFile : '');
  });
}

function tlsSettings(source: Source): DaemonSettings['tls'] {
  const verify = source.bool('tlsverify');
  if (!verify && !source.bool('tls')) return undefined;
  const [caCert, cert, key] = [source.string('tlscacert'), source.string('tlscert'), source.string('tlskey')];
  const missing = [
    ...(verify && caCert === '' ? ['--tlscacert'] : []),
    ...(cert === '' ? ['--tlscert'] : []),
    ...(key === '' ? ['--tlskey'] : []),
  ];
  if (missing.length > 0) throw new EngineError('invalid', `TLS needs ${missing.join(', ')}`);
  return { verify, caCert, cert, key };
}
