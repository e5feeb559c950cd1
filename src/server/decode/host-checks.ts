import { isIP } from 'node:net';
import type { HostOptions } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';

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
  if (host.restartPolicy.maximumRetryCount !== 0 && host.restartPolicy.name !== 'on-failure')
    refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
}

function checkNamespaces(host: HostOptions): void {
  namespaceMode('IPC mode', 'HostConfig.IpcMode (--ipc', {
    value: host.ipcMode,
    known: ['none', 'private', 'shareable', 'host'],
  });
  namespaceMode('PID mode', 'HostConfig.PidMode (--pid', { value: host.pidMode, known: ['host'] });
  namespaceMode('UTS mode', undefined, { value: host.utsMode, known: ['host'] });
  namespaceMode('cgroup namespace mode', undefined, {
    value: host.cgroupnsMode,
    known: ['host', 'private'],
  });
}

function namespaceMode(
  what: string,
  joins: string | undefined,
  { value, known }: { value: string; known: string[] },
): void {
  if (value === '' || known.includes(value)) return;
  if (joins !== undefined && /^container:./.test(value))
    throw new EngineError('not-implemented', `${joins} ${value}) is not implemented yet`);
  refuse(`invalid ${what}: ${value}`);
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
