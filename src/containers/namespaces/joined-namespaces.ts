import { closeSync, openSync } from 'node:fs';
import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import { processStartTicks } from '../../sys/clock.ts';
import { sameIdMap } from '../../sys/id-map.ts';
import type { HostOptions } from '../container.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { statusOf } from '../queries/container-status.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { notRunning, runningTask } from '../tasks/running-task.ts';
import { joining, ownerOf } from './namespace-modes.ts';

type Containers = Pick<ContainerIndex<LiveContainer>, 'resolve'>;

/** Paths of what a start joins, which hold until `close`: files of this process, so that no pid of another one is ever mistaken. */
export interface JoinedNamespaces {
  paths: { network?: string; pid?: string; ipc?: string };
  /** Whose network it has. */
  networkOwner: LiveContainer | undefined;
  /** Whose IPC namespace it has. */
  ipcOwner: LiveContainer | undefined;
  close(): void;
}

/**
 * The modes with full ids instead of what the user calls the containers, as Docker keeps them: whom a network is of may be made later.
 *
 * @throws EngineError "invalid" when whose processes or IPC namespace it is to have is unknown.
 */
export function withOwnerIds(host: HostOptions, containers: Containers): HostOptions {
  return {
    ...host,
    networkMode: withOwnerId(host.networkMode, (name) => {
      try {
        return containers.resolve(name).id;
      } catch {
        return name;
      }
    }),
    pidMode: withOwnerId(host.pidMode, (name) => known(name, containers)),
    ipcMode: withOwnerId(host.ipcMode, (name) => known(name, containers)),
  };
}

function withOwnerId(mode: string, idOf: (name: string) => string): string {
  const owner = ownerOf(mode);
  return owner === undefined || owner === '' ? mode : joining(idOf(owner));
}

function known(name: string, containers: Containers): string {
  try {
    return containers.resolve(name).id;
  } catch (error) {
    throw new EngineError('invalid', messageOf(error), { cause: error });
  }
}

/** @throws EngineError in Docker's words when one of the owners does not run, or does not share. */
export function joinNamespaces(record: ContainerRecord, containers: Containers): JoinedNamespaces {
  const networkOwner = findNetworkOwner(record, containers);
  const ipcOwner = findOwner(record.host.ipcMode, 'IPC', containers);
  const pidOwner = findOwner(record.host.pidMode, 'PID', containers);
  if (ipcOwner !== undefined) checkShares(ipcOwner);
  if (record.idMap !== undefined) checkIds(record, { network: networkOwner, IPC: ipcOwner, PID: pidOwner });
  const open: number[] = [];
  const close = () => {
    for (const descriptor of open.splice(0)) closeSync(descriptor);
  };
  const path = (owner: LiveContainer, namespace: string) => {
    const descriptor = openNamespace(owner, namespace);
    open.push(descriptor);
    return `/proc/${process.pid}/fd/${descriptor}`;
  };
  try {
    const paths = {
      ...(networkOwner === undefined ? {} : { network: path(networkOwner, 'net') }),
      ...(ipcOwner === undefined ? {} : { ipc: path(ipcOwner, 'ipc') }),
      ...(pidOwner === undefined ? {} : { pid: path(pidOwner, 'pid') }),
    };
    return { paths, networkOwner, ipcOwner, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A namespace can be joined from the user namespace that it belongs to: containers with the same ids share one. @throws EngineError "invalid". */
function checkIds(
  record: ContainerRecord,
  owners: Record<'network' | 'IPC' | 'PID', LiveContainer | undefined>,
): void {
  for (const [what, owner] of Object.entries(owners)) {
    if (owner === undefined || sameIdMap(owner.record.idMap, record.idMap)) continue;
    throw new EngineError(
      'invalid',
      `failed to join ${what} namespace: container ${owner.id} is in another user namespace`,
      { hint: 'Use --userns=host for a container that joins one with the host’s ids.' },
    );
  }
}

function findNetworkOwner(record: ContainerRecord, containers: Containers): LiveContainer | undefined {
  const name = ownerOf(record.host.networkMode);
  if (name === undefined) return undefined;
  const owner = resolveNetworkOwner(name, containers);
  if (owner.id === record.id) throw new EngineError('internal', 'cannot join own network namespace');
  if (owner.pendingRestart !== undefined)
    throw new EngineError(
      'conflict',
      `cannot join network namespace of container: Container ${name} is restarting, wait until the container is running`,
    );
  if (owner.task === undefined || owner.task.exited)
    throw new EngineError(
      'conflict',
      `cannot join network namespace of a non running container: container ${owner.name} is ${statusOf(owner)}`,
    );
  return owner;
}

/** As Docker: that it is gone is no fault of the call that starts another. */
function resolveNetworkOwner(name: string, containers: Containers): LiveContainer {
  try {
    return containers.resolve(name);
  } catch (error) {
    throw new EngineError('internal', `joining network namespace of container: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function findOwner(mode: string, what: 'IPC' | 'PID', containers: Containers): LiveContainer | undefined {
  const name = ownerOf(mode);
  if (name === undefined) return undefined;
  try {
    if (name === '') throw new EngineError('invalid', 'invalid name or ID supplied: ""');
    const owner = containers.resolve(name);
    runningTask(owner);
    return owner;
  } catch (error) {
    const kind = kindOf(error) === 'not-found' ? 'invalid' : kindOf(error);
    throw new EngineError(kind, `failed to join ${what} namespace: ${messageOf(error)}`, { cause: error });
  }
}

function checkShares({ id, record }: LiveContainer): void {
  if (record.host.ipcMode === 'shareable' || record.host.ipcMode === 'host') return;
  throw new EngineError(
    'invalid',
    `failed to join IPC namespace: container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
}

/** @throws EngineError "conflict" when the owner has ended: what is open then is another process's, or nobody's. */
function openNamespace(owner: LiveContainer, namespace: string): number {
  const { pid, pidStartTicks }: LiveTask['handle'] = runningTask(owner).handle;
  let descriptor: number;
  try {
    descriptor = openSync(`/proc/${pid}/ns/${namespace}`, 'r');
  } catch {
    throw notRunning(owner);
  }
  if (processStartTicks(pid) === pidStartTicks) return descriptor;
  closeSync(descriptor);
  throw notRunning(owner);
}
