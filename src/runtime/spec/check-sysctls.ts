import { EngineError } from '../../errors/engine-error.ts';

const IPC = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/**
 * A sysctl that is not of a namespace of the container's own would change the host.
 *
 * @throws EngineError "invalid", in the words of runc, whose check it is in Docker.
 */
export function checkSysctls(
  sysctls: Readonly<Record<string, string>>,
  { networkMode, ipcMode, utsMode }: { networkMode: string; ipcMode: string; utsMode: string },
): void {
  for (const name of Object.keys(sysctls)) {
    const why = refusalOf(name.replaceAll('/', '.'), { networkMode, ipcMode, utsMode });
    if (why !== undefined)
      throw new EngineError(
        'invalid',
        `failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: sysctl ${JSON.stringify(name)} ${why}`,
      );
  }
}

function refusalOf(
  name: string,
  { networkMode, ipcMode, utsMode }: { networkMode: string; ipcMode: string; utsMode: string },
): string | undefined {
  if (IPC.has(name) || name.startsWith('fs.mqueue.'))
    return ipcMode === 'host' ? 'is not allowed in the hosts ipc namespace' : undefined;
  if (name.startsWith('net.'))
    return networkMode === 'host' ? 'not allowed in host network namespace' : undefined;
  if (name === 'kernel.domainname')
    return utsMode === 'host' ? 'is not allowed as it is in the hosts uts namespace' : undefined;
  return 'is not in a separate kernel namespace';
}
