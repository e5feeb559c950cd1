import { mkdirSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Endpoint } from '../../network/network-driver.ts';
import type { OpenTaskRequest, TaskHandle } from '../../runtime/runtime.ts';
import { DEFAULT_SHM_BYTES } from '../../runtime/spec/mounts.ts';
import type { SnapshotKey } from '../../snapshots/snapshotter.ts';
import { nowNano } from '../../sys/clock.ts';
import { rootOf } from '../../sys/id-map.ts';
import { descriptorPath } from '../../sys/namespace-child.ts';
import { type Timeline, timed } from '../../sys/timeline.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import { healthPlan } from '../health/health.ts';
import { followLinked, type LinkedNames, linkedNames } from '../links/linked-containers.ts';
import type { LiveContainer, LiveTask } from '../live-container.ts';
import { type ReadyMounts, readyMounts } from '../mounts/ready-mounts.ts';
import { type JoinedNamespaces, joinNamespaces } from '../namespaces/joined-namespaces.ts';
import { usesOwnNetwork } from '../networking/container-networks.ts';
import { joinNetworks } from '../networking/join-networks.ts';
import { writeNetworkFiles } from '../networking/network-files.ts';
import { balancePorts } from '../ports/balance-ports.ts';
import { publishPorts } from '../ports/publish-ports.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { noteTask } from './note-task.ts';
import { UndoStack } from './undo.ts';

export function snapshotKeyOf(id: string): SnapshotKey {
  return id as SnapshotKey;
}

/**
 * One start, from the record to a process that runs: root mounted, network joined, streams connected, then the command let go. A failure
 * takes every step back, as does an abort of `signal`.
 *
 * @throws EngineError of the step that failed.
 */
export async function startTask(
  container: LiveContainer,
  deps: ContainerDependencies,
  context: { containers: Pick<ContainerIndex<LiveContainer>, 'resolve' | 'values'>; signal: AbortSignal },
): Promise<LiveTask> {
  const { containers, signal } = context;
  deps.runtime.anticipate?.();
  const undo = new UndoStack(deps.logger);
  container.record = { ...container.record, generation: container.record.generation + 1 };
  let joined: JoinedNamespaces | undefined;
  try {
    const linked = linkedNames(container.record, containers);
    joined = joinNamespaces(container.record, containers);
    container.record = withOwnersNetwork(container.record, joined.networkOwner);
    // For its log and its network files.
    await mkdir(deps.paths.directory(container.id), { recursive: true, mode: 0o710 });
    const logPath = await timed(container.timeline, 'log', () => deps.logs.prepare(container.record));
    undo.add('let go of its log', async () => deps.logs.ended(container.id));
    const preparing = prepareHost(container, joined, { deps, undo, linked, signal });
    const handle = await createTask(container, { deps, undo, preparing, linked, logPath, signal });
    const { endpoints, mounts } = await preparing;
    // The container has its own of them by now.
    await mounts.release();
    const task: LiveTask = {
      handle,
      endpoints,
      paused: false,
      ended: Promise.withResolvers<void>(),
      exited: false,
    };
    undo.add('forget the task', () => deps.notes.remove(container.id));
    await letGo(container, deps, task);
    if (healthPlan(container.record.config) === undefined) await balancePorts(container, task, deps);
    await followLinked(container, endpoints, { containers, paths: deps.paths });
    return task;
  } catch (error) {
    container.hub.end();
    await undo.unwind();
    throw error;
  } finally {
    joined?.close();
  }
}

/** As Docker: who joins a network has its owner's names and files. */
function withOwnersNetwork(record: ContainerRecord, owner: LiveContainer | undefined): ContainerRecord {
  if (owner === undefined) return record;
  const { hostname, domainname } = owner.record.config;
  const networkFilesOf = owner.record.networkFilesOf || owner.id;
  return { ...record, config: { ...record.config, hostname, domainname }, networkFilesOf };
}

/**
 * Streams, commit and note side by side, and then the command: after a power cut it counts as started, and no byte of it is lost. Until
 * there is a note, a daemon that dies leaves a task that the next one takes away.
 */
async function letGo(container: LiveContainer, deps: ContainerDependencies, task: LiveTask): Promise<void> {
  const { record: previous, timeline } = container;
  container.record = {
    ...previous,
    active: true,
    stoppedByUser: false,
    restartDue: false,
    startedAtNano: nowNano(),
    error: '',
    exitCode: 0,
    oomKilled: false,
  };
  try {
    // First: a start that is on disk without a note would count as one that ended with the machine.
    noteTask(container, task, deps);
    await settled([
      timed(timeline, 'commit', () => deps.store.update(container.record)),
      timed(timeline, 'streams', async () => {
        const streams = await deps.runtime.attach(task.handle);
        container.hub.begin(streams, deps.logs.follow(container.record, task.handle));
      }),
    ]);
    await timed(timeline, 'let-go', () => deps.runtime.start(task.handle));
  } catch (error) {
    container.record = previous;
    await deps.store.update(previous);
    throw error;
  }
}

interface NetworkSide {
  endpoints: Endpoint[];
  networkNamespace: string | undefined;
}

interface HostSide {
  endpoints: Endpoint[];
  namespaces: JoinedNamespaces['paths'];
  userNamespace: string | undefined;
  sharedMemory: string | undefined;
  mounts: ReadyMounts;
}

/** Root file system, sources of mounts, network and shared memory, side by side. */
async function prepareHost(
  container: LiveContainer,
  joined: JoinedNamespaces,
  context: { deps: ContainerDependencies; undo: UndoStack; linked: LinkedNames; signal: AbortSignal },
): Promise<HostSide> {
  const { deps, undo, signal } = context;
  const { timeline } = container;
  const [, network, sharedMemory, mounts] = await settled([
    timed(timeline, 'root', () => mountRoot(container, deps, undo)),
    joined.networkOwner === undefined
      ? timed(timeline, 'network', () => joinNetwork(container, context))
      : undefined,
    mountSharedMemory(container, joined, { deps, undo }),
    timed(timeline, 'mounts', () => readyMounts(container.record, deps, { undo, signal })),
  ] as const);
  const own = network?.networkNamespace;
  return {
    endpoints: network?.endpoints ?? [],
    namespaces: { ...joined.paths, ...(own === undefined ? {} : { network: own }) },
    userNamespace: userNamespaceOf(container.record, deps),
    sharedMemory,
    mounts,
  };
}

function userNamespaceOf({ idMap }: ContainerRecord, deps: ContainerDependencies): string | undefined {
  return idMap === undefined ? undefined : descriptorPath(deps.userNamespaces.of(idMap));
}

async function mountSharedMemory(
  { id, record }: LiveContainer,
  { ipcOwner }: JoinedNamespaces,
  { deps, undo }: { deps: ContainerDependencies; undo: UndoStack },
): Promise<string | undefined> {
  const { sharedMemory } = deps;
  if (ipcOwner !== undefined)
    return ipcOwner.record.host.ipcMode === 'host' ? '/dev/shm' : sharedMemory.path(ipcOwner.id);
  if (record.host.ipcMode !== 'shareable') return undefined;
  undo.add('remove the shared memory', () => sharedMemory.unmount(id));
  const owner = record.idMap === undefined ? undefined : rootOf(record.idMap);
  return await sharedMemory.mount(id, record.host.shmSizeBytes || DEFAULT_SHM_BYTES, owner);
}

/** As `Promise.all`, but nothing is still under way when it fails: what was made can be taken back. */
async function settled<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

async function mountRoot(
  container: LiveContainer,
  deps: ContainerDependencies,
  undo: UndoStack,
): Promise<void> {
  const key = snapshotKeyOf(container.id);
  const target = deps.paths.rootfs(container.id);
  // On tmpfs, as all of the exec root: faster than a round over another thread.
  mkdirSync(target, { recursive: true, mode: 0o700 });
  undo.add('remove the mount point', () => rmdir(target).catch(() => undefined));
  // Its changes go with it, so they need not reach the disk.
  const { host, idMap } = container.record;
  await deps.snapshotter.mount(key, target, { volatile: host.autoRemove, idMap });
  undo.add('unmount the root', () => deps.snapshotter.unmount(key, target));
}

async function joinNetwork(
  container: LiveContainer,
  { deps, undo, linked }: { deps: ContainerDependencies; undo: UndoStack; linked: LinkedNames },
): Promise<NetworkSide> {
  const { record, timeline } = container;
  const joining = makeNetwork(record, { deps, undo, timeline });
  const resolver = deps.resolver(usesOwnNetwork(record.host.networkMode) ? 'own' : 'host');
  const joined = joining.then(async ({ endpoints }) => {
    const hostGateway = await deps.networks.hostGateway(endpoints);
    return { endpoints, hostGateway, linked: linked.hosts };
  });
  const writing = writeNetworkFiles(record, deps.paths, { joined, resolver });
  const [made] = await settled([joining, joined, resolver, writing] as const);
  return made;
}

async function makeNetwork(
  record: ContainerRecord,
  { deps, undo, timeline }: { deps: ContainerDependencies; undo: UndoStack; timeline: Timeline | undefined },
): Promise<NetworkSide> {
  const { id: containerId, host, idMap } = record;
  let networkNamespace: string | undefined;
  if (usesOwnNetwork(host.networkMode)) {
    const userNamespace = idMap === undefined ? undefined : deps.userNamespaces.of(idMap);
    networkNamespace = await timed(timeline, 'namespace', () =>
      deps.networks.createNamespace(containerId, { userNamespace }),
    );
    undo.add('remove the network namespace', () => deps.networks.removeNamespace(containerId));
  }
  const endpoints = await timed(timeline, 'endpoints', () => joinNetworks(record, deps, undo));
  undo.add('withdraw its ports', () => deps.networks.ports.withdraw(containerId));
  await timed(timeline, 'ports', () => publishPorts(record, endpoints, deps));
  return { endpoints, networkNamespace };
}

async function createTask(
  container: LiveContainer,
  context: {
    deps: ContainerDependencies;
    undo: UndoStack;
    preparing: Promise<HostSide>;
    linked: LinkedNames;
    logPath: string | undefined;
    signal: AbortSignal;
  },
): Promise<TaskHandle> {
  const { deps, undo, preparing, logPath } = context;
  const { record, timeline } = container;
  const told = {
    ...record,
    config: { ...record.config, env: [...context.linked.env, ...record.config.env] },
  };
  const rootDirectory = deps.paths.rootfs(record.id);
  // The monitor starts meanwhile.
  const spec = preparing.then(({ mounts: { mounts }, namespaces, userNamespace, sharedMemory }) =>
    timed(timeline, 'spec', () =>
      deps.buildSpec({
        namespaces,
        userNamespace,
        sharedMemory,
        record: told,
        rootDirectory,
        paths: deps.paths,
        mounts,
      }),
    ),
  );
  spec.catch(() => undefined);
  const request: OpenTaskRequest = {
    id: { containerId: record.id, generation: record.generation },
    rootDirectory,
    directory: deps.paths.task(record.id, record.generation),
    spec,
    terminal: record.config.tty,
    stdin: record.config.openStdin,
    leaveStdinOpen: record.config.tty || !record.config.stdinOnce,
    logPath,
    timeline,
    ...(record.idMap === undefined ? {} : { root: rootOf(record.idMap) }),
  };
  undo.add('remove the task directory', () => rmdir(deps.paths.tasks(record.id)).catch(() => undefined));
  try {
    const handle = await deps.runtime.create(request, { signal: context.signal });
    undo.add('remove the task', () => deps.runtime.remove(handle));
    return handle;
  } finally {
    // Nothing is taken back while it is still being made.
    await Promise.allSettled([spec]);
  }
}

/** Exit code that Docker's client shows for a start that failed: 127 not found, 126 not executable; else that of the run before, or 128. */
export function startFailureCode(error: unknown, before = 0): number {
  const code = error instanceof EngineError ? error.code : undefined;
  if (code === 'command-not-found') return 127;
  if (code === 'command-not-executable') return 126;
  return before === 0 ? 128 : before;
}

/** What `inspect` keeps of a failed start. */
export function startFailureText(error: unknown): string {
  return messageOf(error);
}
