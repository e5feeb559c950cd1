import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors/engine-error.ts';
import type { SnapshotKey } from '../snapshots/snapshotter.ts';
import { bootId, nowNano } from '../sys/clock.ts';
import type { ContainerDependencies } from './dependencies.ts';
import type { ExecNote } from './exec/exec-notes.ts';
import type { ExecService } from './exec/exec-service.ts';
import type { Lifecycle } from './lifecycle/lifecycle.ts';
import { LiveContainer, type LiveTask } from './live-container.ts';
import { imageMountKeys } from './mounts/image-mounts.ts';
import { dropMounts } from './mounts/ready-mounts.ts';
import { usersByVolume } from './mounts/volume-users.ts';
import { usesOwnNetwork } from './networking/container-networks.ts';
import type { ContainerRecord } from './record/container-record.ts';
import type { ContainerIndex } from './record/container-store.ts';
import { startsWithDaemon } from './restarts/restart-plan.ts';
import { noteTask } from './tasks/note-task.ts';
import type { TaskNote } from './tasks/task-notes.ts';
import { snapshotKeyOf } from './tasks/task-starter.ts';
import { finishUpdate } from './update/update-container.ts';

/** What Docker tells of a container whose machine went down under it. */
const EXIT_CODE_LOST = 255;

/**
 * At the daemon's start: join records (disk) with notes (tmpfs). A task of this boot whose start is on disk is taken up again, whether it runs,
 * has ended meanwhile or still waits to be let go; one whose start is not is killed, as though nobody had asked for it; a record that says
 * "runs" without a note ended with the machine. What no record owns is removed.
 *
 * @returns what does not run and is to, by its restart policy: held back until it is started.
 */
export async function recoverContainers(
  deps: ContainerDependencies,
  index: ContainerIndex<LiveContainer>,
  lifecycle: Lifecycle,
  execs: ExecService,
): Promise<LiveContainer[]> {
  for (const record of await deps.store.load()) index.add(new LiveContainer(record));
  const notes = await deps.notes.load();
  const known = new Map([...index.values()].map((container) => [container.id, container]));
  const boot = bootId();
  const alive = [...notes].filter(
    ([id, { handle }]) => handle.bootId === boot && isUnderWay(known.get(id)?.record, handle.id.generation),
  );
  const execNotes = await execs.notesOf(alive.map(([, { handle }]) => handle.id));
  await deps.runtime.recover(
    alive.map(([, note]) => note.handle),
    execNotes.map((note) => note.handle),
  );
  await recoverHost(deps, known, alive);
  const taken = new Set(alive.map(([id]) => id));
  for (const [id, note] of notes) {
    const container = known.get(id);
    if (container !== undefined && taken.has(id)) await takeUp(container, { note, deps, lifecycle });
    else await deps.notes.remove(id);
  }
  for (const container of known.values())
    if (container.task !== undefined) await execs.recall(container, container.task);
  for (const note of execNotes) takeUpExec(known.get(note.handle.id.containerId), note, execs);
  // What was taken up and has ended since is followed as any other.
  const still = [...known.values()].filter(({ id }) => !taken.has(id));
  for (const container of still) await settle(container, deps, lifecycle);
  for (const { record, task, removing } of known.values())
    if (!removing) void deps.logs.recover(record, task?.handle);
  const due = still.filter(({ id, record }) => index.get(id) !== undefined && startsWithDaemon(record));
  for (const container of due) lifecycle.hold(container);
  return due;
}

/** Its start is on disk, so that its command may run, and its end is not. An end found anew would know less. */
function isUnderWay(record: ContainerRecord | undefined, generation: number): boolean {
  return record?.active === true && record.generation >= generation;
}

async function recoverHost(
  deps: ContainerDependencies,
  known: ReadonlyMap<string, LiveContainer>,
  alive: [string, TaskNote][],
): Promise<void> {
  const ids = new Set(alive.map(([id]) => id));
  const endpoints = alive.flatMap(([, note]) => note.endpoints);
  const namespaces = new Set(
    [...ids].filter((id) => usesOwnNetwork(known.get(id)?.record.host.networkMode ?? '')),
  );
  await deps.networks.recover(endpoints, namespaces);
  await deps.networks.ports.recover(alive.flatMap(([, note]) => note.ports ?? []));
  for (const name of await readdir(deps.paths.rootfsAll).catch(() => [])) {
    if (!ids.has(name)) await dropRoot(deps, name);
  }
  for (const name of await readdir(deps.paths.tasksAll).catch(() => [])) {
    if (!ids.has(name)) await rm(deps.paths.tasks(name), { recursive: true, force: true });
  }
  const running = [...known.values()].filter(({ id }) => ids.has(id));
  deps.userNamespaces.keep(running.flatMap(({ record: { idMap } }) => idMap ?? []));
  await deps.sharedMemory.recover(ids);
  // Only starts need them, and none is under way.
  for (const name of await readdir(deps.paths.mountsAll).catch(() => []))
    await dropMounts(join(deps.paths.mountsAll, name));
  const records = [...known.values()].map(({ record }) => record);
  const keys = records.flatMap((record) => [snapshotKeyOf(record.id), ...imageMountKeys(record)]);
  await deps.snapshotter.recover(new Set<SnapshotKey>(keys));
  await deps.volumes.recover(usersByVolume(records.filter(({ id }) => ids.has(id))));
  for (const name of await readdir(deps.paths.all).catch(() => [])) {
    if (!known.has(name)) await rm(join(deps.paths.all, name), { recursive: true, force: true });
  }
}

async function dropRoot(deps: ContainerDependencies, id: string): Promise<void> {
  try {
    await deps.snapshotter.unmount(snapshotKeyOf(id), deps.paths.rootfs(id));
    await rmdir(deps.paths.rootfs(id));
  } catch (error) {
    deps.logger.warn('Cannot remove a left mount point', { container: id, error: messageOf(error) });
  }
}

async function takeUp(
  container: LiveContainer,
  context: { note: TaskNote; deps: ContainerDependencies; lifecycle: Lifecycle },
): Promise<void> {
  const { note, deps, lifecycle } = context;
  const { handle, endpoints } = note;
  // The daemon before may have had no time to note it.
  const paused = deps.runtime.isPaused(handle);
  const task: LiveTask = { handle, endpoints, paused, ended: Promise.withResolvers<void>(), exited: false };
  const { stop, updating } = note;
  if (stop !== undefined) task.stop = stop;
  if (updating === true) task.updating = true;
  container.record = {
    ...container.record,
    active: true,
    generation: handle.id.generation,
    startedAtNano: BigInt(note.startedAtNano),
  };
  container.task = task;
  try {
    container.hub.begin(await deps.runtime.attach(handle), deps.logs.follow(container.record, handle));
  } catch (error) {
    // It has ended meanwhile, or its monitor has: the exit tells.
    deps.logger.debug('No streams to take up', { container: container.id, error: messageOf(error) });
  }
  if (stop?.restarts === true) container.restarting = true;
  lifecycle.watch(container, task);
  if (stop !== undefined) lifecycle.resumeStop(container, task, stop);
  if (paused !== note.paused && !task.exited) noteTask(container, task, deps);
  if (updating === true) await finishUpdate(container, task, deps);
}

function takeUpExec(container: LiveContainer | undefined, note: ExecNote, execs: ExecService): void {
  if (container?.task !== undefined) execs.takeUp(container, container.task, note);
}

/** What is not running: record a lost end, remove what was to go at its end. */
async function settle(
  container: LiveContainer,
  deps: ContainerDependencies,
  lifecycle: Lifecycle,
): Promise<void> {
  const { record } = container;
  const wasStarted = record.generation > 0;
  if (record.active) {
    container.record = { ...record, active: false, exitCode: EXIT_CODE_LOST, finishedAtNano: nowNano() };
    await deps.store.update(container.record);
  }
  if (record.host.autoRemove && wasStarted) await lifecycle.remove(container, { volumes: true });
}
