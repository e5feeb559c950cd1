import { isIP } from 'node:net';
import type { ContainerConfig, HostOptions } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { publishesPorts } from './port-bindings.ts';

const OCI_RUNTIMES = new Set(['', 'runc', 'crun', 'io.containerd.runc.v2']);

/**
 * Refuses what no container could be started with as it was asked for, before one is made.
 *
 * @throws EngineError "invalid" in Docker's words; "not-implemented" for what it would do and we don't yet.
 */
export function checkHost(host: HostOptions): void {
  checkNamespaces(host);
  checkFiles(host);
  checkProcess(host);
  checkRestartPolicy(host.restartPolicy);
}

/** @throws EngineError "invalid" for a number of retries that makes no sense. */
export function checkRestartPolicy({ name, maximumRetryCount }: HostOptions['restartPolicy']): void {
  if (name === 'on-failure') {
    if (maximumRetryCount < 0) refuse('invalid restart policy: maximum retry count cannot be negative');
  } else if (maximumRetryCount !== 0)
    refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
}

function checkNamespaces(host: HostOptions): void {
  // Whose it is meant to be is looked up by the start, also of nobody's.
  if (!host.ipcMode.startsWith('container:'))
    namespaceMode('IPC mode', host.ipcMode, ['none', 'private', 'shareable', 'host']);
  if (!/^container:./.test(host.pidMode)) namespaceMode('PID mode', host.pidMode, ['host']);
  namespaceMode('UTS mode', host.utsMode, ['host']);
  namespaceMode('cgroup namespace mode', host.cgroupnsMode, ['host', 'private']);
  if (host.networkMode === 'host' && host.links.length > 0)
    refuse(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  if (host.networkMode === 'container:')
    refuse('invalid network mode: invalid container format container:<name|id>');
}

function namespaceMode(what: string, value: string, known: string[]): void {
  if (value !== '' && !known.includes(value)) refuse(`invalid ${what}: ${value}`);
}

/** Another container's network is as it is there. @throws EngineError "invalid" in Docker's words. */
export function checkJoinedNetwork(config: ContainerConfig, host: HostOptions): void {
  if (!host.networkMode.startsWith('container:')) return;
  const conflict = (what: string) => refuse(`conflicting options: ${what}`);
  if (config.hostname !== '') conflict('hostname and the network mode');
  if (host.links.length > 0)
    conflict("container type network can't be used with links. This would result in undefined behavior");
  if (host.dns.length > 0) conflict('dns and the network mode');
  if (host.extraHosts.length > 0) conflict('custom host-to-IP mapping and the network mode');
  if (publishesPorts(host)) conflict('port publishing and the container type network mode');
  if (config.exposedPorts.length > 0) conflict('port exposing and the container type network mode');
}

function checkFiles(host: HostOptions): void {
  for (const path of Object.keys(host.tmpfs))
    if (/^\/*(\.\/*)*$/.test(path) && path.startsWith('/'))
      refuse("invalid specification: destination can't be '/'");
    else if (!path.startsWith('/')) refuse(`invalid mount path: '${path}' mount path must be absolute`);
  for (const address of host.dns)
    if (isIP(address) === 0)
      refuse(`bad nameserver address ${address}: ParseAddr(${JSON.stringify(address)}): unable to parse IP`);
  if (host.shmSizeBytes < 0) refuse('SHM size can not be less than 0');
}

function checkProcess(host: HostOptions): void {
  if (!OCI_RUNTIMES.has(host.runtime)) refuse(`unknown or invalid runtime name: ${host.runtime}`);
  if (!['', 'default'].includes(host.isolation))
    refuse(`invalid isolation (${host.isolation}): linux only supports 'default'`);
  if (host.oomScoreAdj < -1000 || host.oomScoreAdj > 1000)
    refuse(`Invalid value ${host.oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if ('' in host.annotations)
    refuse('invalid Annotations: the empty string is not permitted as an annotation key');
}

function refuse(message: string): never {
  throw new EngineError('invalid', message);
}
