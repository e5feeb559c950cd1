import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname as hostName } from 'node:os';
import { EngineError } from '../../errors/engine-error.ts';
import type { ImageView } from '../../images/image-backend.ts';
import type { Healthcheck, ImageProcessConfig } from '../../oci/image-config.ts';
import { checkHostOptions } from '../../runtime/spec/check-host.ts';
import { checkResources } from '../../runtime/spec/check-resources.ts';
import { nowNano } from '../../sys/clock.ts';
import { commandOf } from '../command.ts';
import type { ContainerConfig, ContainerImage, HostOptions } from '../container.ts';
import type { CreateRequest } from '../container-backend.ts';
import { checkLogOptions, type LogConfig, withLogDefaults } from '../logs/log-options.ts';
import { cleanPath } from '../mounts/mount-mode.ts';
import { parseExtraHost } from '../networking/network-files.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { parseSignal } from '../signals.ts';
import { checkIpcMode, checkRemapped } from './check-options.ts';
import type { ContainerDefaults } from './container-defaults.ts';
import { type EngineFacts, effectiveOptions } from './effective-options.ts';

/** 64 hex digits whose short form is no number: such a name could be mistaken by clients. */
export function newContainerId(): string {
  while (true) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d+$/.test(id.slice(0, 12))) return id;
  }
}

/**
 * The record of a new container: the user's words on top of the image's and the engine's defaults, and what had to be left out.
 *
 * @throws EngineError "invalid" on what could never start, in Docker's words.
 */
export function newRecord(
  request: CreateRequest,
  image: ImageView,
  identity: {
    id: string;
    name: string;
    engine: EngineFacts;
    defaults: ContainerDefaults;
    logDefaults: LogConfig;
  },
): { record: ContainerRecord; warnings: string[] } {
  const { id, name, engine, defaults } = identity;
  const config = withHostname(mergeConfig(request.config, image.config.config), request.host, id);
  checkOptions(config, request.host);
  checkIpcMode(request.host);
  const idMap = request.host.usernsMode === 'host' ? undefined : defaults.idMap;
  if (idMap !== undefined) checkRemapped(request.host);
  const host = {
    ...effectiveOptions(request.host, engine, defaults),
    logConfig: withLogDefaults(request.host.logConfig, identity.logDefaults),
  };
  checkLogOptions(host.logConfig);
  const { warnings, ...possible } = checkHostOptions(host, engine.cgroupVersion);
  return {
    record: {
      ...newRecordOf({ id, name, config, host: { ...host, ...possible } }, image),
      ...(idMap === undefined ? {} : { idMap }),
    },
    warnings,
  };
}

function newRecordOf(
  made: Pick<ContainerRecord, 'id' | 'name' | 'config' | 'host'>,
  image: ImageView,
): ContainerRecord {
  return {
    ...made,
    createdNano: nowNano(),
    image: imageOf(image),
    generation: 0,
    active: false,
    stoppedByUser: false,
    exitCode: 0,
    oomKilled: false,
    error: '',
    startedAtNano: 0n,
    finishedAtNano: 0n,
    restartCount: 0,
    restartDue: false,
    networkFilesOf: '',
    networks: [],
    links: [],
    mounts: [],
  };
}

export function imageOf(image: ImageView): ContainerImage {
  const { id, manifestDigest, configDigest, chainId, platform } = image;
  return { id, manifestDigest, configDigest, chainId, platform };
}

/** Docker's rules: an entrypoint of the user's drops the image's command; environment and labels merge by name. */
export function mergeConfig(asked: ContainerConfig, image: ImageProcessConfig): ContainerConfig {
  const ownEntrypoint = asked.entrypoint !== undefined && asked.entrypoint.length > 0;
  const cleared = asked.entrypoint?.length === 1 && asked.entrypoint[0] === '';
  return {
    ...asked,
    user: asked.user || image.user,
    env: mergeEnv(image.env, asked.env),
    entrypoint: cleared ? undefined : ownEntrypoint ? asked.entrypoint : image.entrypoint,
    cmd: asked.cmd !== undefined && asked.cmd.length > 0 ? asked.cmd : ownEntrypoint ? undefined : image.cmd,
    workingDir: plainPlace(asked.workingDir || image.workingDir),
    labels: { ...image.labels, ...asked.labels },
    exposedPorts: [...new Set([...image.exposedPorts, ...asked.exposedPorts])],
    volumes: [...new Set([...image.volumes, ...asked.volumes])],
    stopSignal: asked.stopSignal ?? image.stopSignal,
    healthcheck: mergeHealthcheck(asked.healthcheck, image.healthcheck),
    shell: asked.shell ?? image.shell,
    onBuild: asked.onBuild,
  };
}

/** Without what stands for nothing in it; one that is not absolute as it is, to be refused by its name. */
function plainPlace(path: string): string {
  return path.startsWith('/') ? cleanPath(path) : path;
}

/** The user's word, with the image's where the user says nothing. */
function mergeHealthcheck(
  asked: Healthcheck | undefined,
  image: Healthcheck | undefined,
): Healthcheck | undefined {
  if (asked === undefined || image === undefined) return asked ?? image;
  return {
    test: asked.test.length === 0 ? image.test : asked.test,
    intervalNs: asked.intervalNs || image.intervalNs,
    timeoutNs: asked.timeoutNs || image.timeoutNs,
    startPeriodNs: asked.startPeriodNs || image.startPeriodNs,
    startIntervalNs: asked.startIntervalNs || image.startIntervalNs,
    retries: asked.retries || image.retries,
  };
}

/** The user's variables first, then the image's that they do not name; `NAME` alone takes the image's away. */
function mergeEnv(image: string[], asked: string[]): string[] {
  const names = new Set(asked.map((text) => text.split('=', 1)[0]));
  return [...asked, ...image.filter((text) => !names.has(text.split('=', 1)[0] ?? ''))];
}

function withHostname(config: ContainerConfig, host: HostOptions, id: string): ContainerConfig {
  if (config.hostname !== '') return config;
  return {
    ...config,
    hostname: host.networkMode === 'host' ? hostName() : id.slice(0, 12),
  };
}

function checkOptions(config: ContainerConfig, host: HostOptions): void {
  if (commandOf(config).length === 0) throw new EngineError('invalid', 'no command specified');
  if (config.workingDir !== '' && !config.workingDir.startsWith('/')) {
    throw new EngineError(
      'invalid',
      `the working directory '${config.workingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  if (config.stopSignal !== undefined) parseSignal(config.stopSignal);
  checkResources(host.resources);
  checkFileWords(config, host);
  for (const text of host.extraHosts) parseExtraHost(text);
  if (host.autoRemove && !['', 'no'].includes(host.restartPolicy.name)) {
    throw new EngineError('invalid', "can't create 'AutoRemove' container with restart policy");
  }
}

/** What becomes a word in hosts, hostname and resolv.conf must not bring lines of its own. */
function checkFileWords(config: ContainerConfig, host: HostOptions): void {
  const server = host.dns.find((address) => isIP(address.replace(/%[\w.-]+$/, '')) === 0);
  if (server !== undefined)
    throw new EngineError('invalid', `bad nameserver address: ${JSON.stringify(server)}`);
  const words = [config.hostname, config.domainname, ...host.dnsSearch, ...host.dnsOptions];
  const bad = words.find((word) => /[\s\p{Cc}]/u.test(word));
  if (bad !== undefined)
    throw new EngineError(
      'invalid',
      `Cannot use ${JSON.stringify(bad)} as a host or domain name: it has white space`,
    );
}
