import { rmdir } from 'node:fs/promises';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { volumePoints } from '../mounts/mount-point.ts';
import { usesOwnNetwork } from '../networking/container-networks.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { snapshotKeyOf } from './task-starter.ts';
import { UndoStack } from './undo.ts';

/** Take away what a task had on the host: runtime state, network, mount, note. Every step is tried; absent is fine. */
export async function clearAway(
  record: ContainerRecord,
  deps: ContainerDependencies,
  task: Pick<LiveTask, 'handle' | 'endpoints'>,
): Promise<void> {
  const undo = new UndoStack(deps.logger);
  const rootfs = deps.paths.rootfs(record.id);
  undo.add('forget the task', () => deps.notes.remove(record.id));
  undo.add('remove the task directory', () => rmdir(deps.paths.tasks(record.id)).catch(() => undefined));
  undo.add('remove the mount point', () => rmdir(rootfs).catch(() => undefined));
  for (const { name, device } of volumePoints(record.mounts))
    if (device) undo.add('let go of a volume', () => deps.volumes.unmount(name, record.id));
  undo.add('unmount the root', () => deps.snapshotter.unmount(snapshotKeyOf(record.id), rootfs));
  if (record.host.ipcMode === 'shareable')
    undo.add('remove the shared memory', () => deps.sharedMemory.unmount(record.id));
  if (usesOwnNetwork(record.host.networkMode)) {
    undo.add('remove the network namespace', () => deps.networks.removeNamespace(record.id));
  }
  undo.add('withdraw its ports', () => deps.networks.ports.withdraw(record.id));
  for (const endpoint of task.endpoints)
    undo.add('leave a network', () => deps.networks.disconnect(endpoint));
  undo.add('remove the task', () => deps.runtime.remove(task.handle));
  await undo.unwind();
}

/** Also later, what a failed commit has left standing: the next start, or the removal, has no more use for it. */
export async function clearResidue(container: LiveContainer, deps: ContainerDependencies): Promise<void> {
  const { residue } = container;
  container.residue = undefined;
  if (residue !== undefined) await clearAway(container.record, deps, residue);
}
