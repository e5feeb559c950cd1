import { EngineError, kindOf, messageOf } from '../errors/engine-error.ts';
import type { ImageView } from '../images/image-backend.ts';
import type { ExposedPorts } from '../network/exposure/exposure.ts';
import type { NetworkInfo } from '../network/network-driver.ts';
import type { ChainId, Digest } from '../oci/digest.ts';
import { byPort, parsePort } from '../oci/port-text.ts';
import { run } from '../sys/spawn.ts';
import { ArchiveService } from './archive/archive-service.ts';
import { checkRuntimeName } from './check-options.ts';
import type { ContainerImage, ContainerView } from './container.ts';
import type {
  ContainerBackend,
  ContainerCommit,
  ContainerSize,
  CreateRequest,
  CreateResult,
  ListRequest,
} from './container-backend.ts';
import { ContainerConnections } from './container-connections.ts';
import { publishContainerEvent, publishVolumeEvent } from './container-events.ts';
import type { NetworkMembership } from './container-networks.ts';
import type { ContainerRecord } from './container-record.ts';
import { statusOf } from './container-status.ts';
import { ContainerIndex } from './container-store.ts';
import type { ContainerChange } from './container-update.ts';
import { type ViewContext, viewOf } from './container-view.ts';
import { newContainerId, newRecord } from './creation.ts';
import type { ContainerDependencies } from './dependencies.ts';
import { ExecService } from './exec/exec-service.ts';
import type { FileChange } from './file-changes.ts';
import type { HealthFailureAction } from './health/health.ts';
import { HealthService } from './health/health-service.ts';
import { withOwnerIds } from './joined-namespaces.ts';
import { Lifecycle } from './lifecycle.ts';
import { resolveLinks } from './links/container-link.ts';
import { linkNamesOf } from './links/linked-containers.ts';
import { compileFilters } from './list-filters.ts';
import { LiveContainer, type LiveTask } from './live-container.ts';
import {
  holdMountedImages,
  imagesOf,
  prepareImageSnapshots,
  removeImageSnapshots,
} from './mounts/image-mounts.ts';
import { withVolumes } from './mounts/make-volumes.ts';
import { type MountPlan, planMounts } from './mounts/plan-mounts.ts';
import { volumeUsers } from './mounts/volume-users.ts';
import { checkName, generateName } from './names.ts';
import { plannedNetworks } from './planned-networks.ts';
import { filterProcesses } from './process-table.ts';
import { recoverContainers } from './recovery.ts';
import { commitContainer, exportRoot, writtenFiles } from './root-files.ts';
import { runningTask } from './running-task.ts';
import { checkSignal, parseSignal } from './signals.ts';
import { startInOrder } from './start-due.ts';
import { StatsService } from './stats/stats-service.ts';
import { StreamService } from './stream-service.ts';
import { snapshotKeyOf } from './task-starter.ts';
import { recallPorts } from './ports/change-ports.ts';
import { updateContainer } from './update-container.ts';

/** Containers, whole: what `server/` asks for, over the rooms in `ContainerDependencies`. Call `recover` once before anything else. */
export class ContainerService implements ContainerBackend {
  readonly #deps: ContainerDependencies;
  readonly #index = new ContainerIndex<LiveContainer>();
  readonly #lifecycle: Lifecycle;
  readonly #streams: StreamService;
  readonly execs: ExecService;
  readonly #health: HealthService;
  readonly #archives: ArchiveService;
  readonly #stats: StatsService;
  readonly #connections: ContainerConnections;
  /** Names promised to creations under way. */
  readonly #reserved = new Set<string>();
  /** What is to run and has not been started yet. */
  #due: LiveContainer[] = [];

  constructor(deps: ContainerDependencies) {
    this.execs = new ExecService(deps, this.#index);
    this.#health = new HealthService({
      deps,
      execs: this.execs,
      act: (container, task, action) => this.#actOnFailure(container, task, action),
    });
    this.#deps = { ...deps, observer: this.#health };
    this.#lifecycle = new Lifecycle(this.#deps, this.#index);
    this.#streams = new StreamService(deps, this.#index);
    this.#connections = new ContainerConnections(deps);
    this.#stats = new StatsService(this.#index, deps.logger);
    this.#archives = new ArchiveService(deps, this.#index, async (container) =>
      viewOf(container, await this.#viewContext()),
    );
  }

  /** Find again what ran on without this daemon, record what ended meanwhile, clear away what belongs to nobody. */
  async recover(): Promise<void> {
    this.#due = await recoverContainers(this.#deps, this.#index, this.#lifecycle, this.execs);
    for (const container of this.#index.values())
      if (container.task === undefined) this.#health.recall(container);
      else {
        await this.#connections.reconcile(container);
        await recallPorts(container, this.#deps);
      }
  }

  /** Start what the restart policies want to run, those first that others join. Resolves when each has been tried. */
  async startDue(): Promise<void> {
    const due = this.#due;
    this.#due = [];
    await startInOrder(due, (container) => this.#lifecycle.startHeld(container));
  }

  async close(): Promise<void> {
    this.#health.close();
    await this.execs.close();
    await this.#lifecycle.close();
    await this.#deps.logs.close();
  }

  /** Containers that stand on an image, by its ID, manifest or config digest. */
  usersOf(image: Digest): { id: string; name: string; running: boolean }[] {
    const uses = ({ record }: LiveContainer) =>
      imagesOf(record).some(({ id, manifestDigest, configDigest }) =>
        [id, manifestDigest, configDigest].includes(image),
      );
    return [...this.#index.values()].filter(uses).map(({ id, name, isUp }) => ({ id, name, running: isUp }));
  }

  /** Ids of the containers that have a volume. */
  volumeUsers(volume: string): string[] {
    return volumeUsers(this.#index.values(), volume);
  }

  nameOf(containerId: string): string | undefined {
    return this.#index.get(containerId)?.name;
  }

  isUp(containerId: string): boolean {
    return this.#index.get(containerId)?.isUp === true;
  }

  /** How many containers have a network on their record. */
  networkUsers({ name, id }: NetworkInfo): number {
    const isOn = ({ record }: LiveContainer) =>
      record.networks.some(({ network }) => network === name || network === id);
    return [...this.#index.values()].filter(isOn).length;
  }

  async connectNetwork(nameOrId: string, network: NetworkInfo, settings: NetworkMembership): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#connections.connect(container, network, settings));
  }

  async disconnectNetwork(
    nameOrId: string,
    network: NetworkInfo,
    { force }: { force: boolean },
  ): Promise<void> {
    const left = this.#deps.networks
      .endpointsOf(network.id)
      .find(({ containerId }) => containerId === nameOrId || containerId.startsWith(nameOrId));
    // An endpoint that a container has left behind goes by force.
    if (force && left !== undefined && this.#index.get(left.containerId) === undefined)
      return await this.#deps.networks.disconnect(left);
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#connections.disconnect(container, network));
  }

  /** What containers need of images: their stacks, manifests and configs. */
  imageRoots(): { blobs: Digest[]; chains: ChainId[] } {
    const images = [...this.#index.values()].flatMap(({ record }) => imagesOf(record));
    return {
      blobs: images.flatMap(({ id, manifestDigest, configDigest }) => [id, manifestDigest, configDigest]),
      chains: images.flatMap(({ chainId }) => (chainId === undefined ? [] : [chainId])),
    };
  }

  async create(request: CreateRequest): Promise<CreateResult> {
    // Most are started at once.
    this.#deps.runtime.anticipate?.();
    const asked = request.name === undefined ? undefined : checkName(request.name);
    const held = await this.#deps.images.hold(request.config.image, { platform: request.platform });
    const mounted = await holdMountedImages(request, this.#deps).catch((error: unknown) => {
      held.release();
      throw error;
    });
    try {
      return await this.#createOn(held.image, request, { asked, images: mounted.images });
    } finally {
      held.release();
      mounted.release();
    }
  }

  async #createOn(
    image: ImageView,
    request: CreateRequest,
    { asked, images }: { asked: string | undefined; images: ReadonlyMap<string, ContainerImage> },
  ): Promise<CreateResult> {
    const name =
      asked ?? generateName((candidate) => this.#index.hasName(candidate) || this.#reserved.has(candidate));
    const engine = await this.#deps.runtime.info();
    checkRuntimeName(request.host.runtime, engine.name);
    const host = withOwnerIds(request.host, this.#index);
    const { record, warnings } = newRecord({ ...request, host }, image, {
      id: newContainerId(),
      name,
      engine,
      defaults: this.#deps.defaults,
      logDefaults: this.#deps.logs.defaults,
    });
    record.networks = await plannedNetworks(request, this.#deps.networks);
    record.links = resolveLinks(record.host.links, this.#index);
    const plan = planMounts(record.config, record.host, {
      mountsOf: (nameOrId) => this.#index.resolve(nameOrId).record.mounts,
      images,
    });
    this.#reserve(name);
    try {
      await this.#insert(record, plan);
    } finally {
      this.#reserved.delete(name);
    }
    this.#deps.images.used(record.image.id);
    publishContainerEvent(this.#deps.events, record, 'create');
    return { id: record.id, warnings };
  }

  /** With snapshots and volumes, or without any of it. */
  async #insert(record: ContainerRecord, plan: MountPlan): Promise<void> {
    const { signal } = new AbortController();
    record.mounts = plan.points;
    try {
      await this.#deps.snapshotter.prepare(snapshotKeyOf(record.id), record.image.chainId, { signal });
      await prepareImageSnapshots(record, this.#deps, signal);
      const made = await withVolumes(record.id, plan, this.#deps, async (mounts, statements) => {
        record.mounts = mounts;
        await this.#deps.store.insert(record, statements);
        this.#index.add(new LiveContainer(record));
      });
      for (const { name } of made) publishVolumeEvent(this.#deps.events, 'create', name);
    } catch (error) {
      await this.#deps.snapshotter.remove(snapshotKeyOf(record.id)).catch(() => undefined);
      await removeImageSnapshots(record, this.#deps).catch(() => undefined);
      throw error;
    }
  }

  async start(nameOrId: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#lifecycle.start(container));
    this.#deps.images.used(container.record.image.id);
  }

  async stop(
    nameOrId: string,
    options: { signal: string | undefined; timeoutSeconds: number | undefined },
  ): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    checkSignal(options.signal, `cannot stop container: ${nameOrId}`);
    // Only the signal waits its turn: a long time-out holds up nobody, another stop with a shorter one least of all.
    const { ended } = await container.queue.run(() => this.#lifecycle.beginStop(container, options));
    await ended;
  }

  async restart(
    nameOrId: string,
    options: { signal: string | undefined; timeoutSeconds: number | undefined },
  ): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    checkSignal(options.signal, `Cannot restart container ${nameOrId}`);
    await container.queue.run(() => this.#lifecycle.restart(container, options));
    publishContainerEvent(this.#deps.events, container.record, 'restart');
  }

  async kill(nameOrId: string, signal: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    try {
      const kill = () => this.#lifecycle.kill(container, parseSignal(signal || 'KILL'));
      // Between two runs the next one may begin just now.
      await (container.pendingRestart === undefined ? kill() : container.queue.run(kill));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new EngineError(error.kind, `cannot kill container: ${nameOrId}: ${error.message}`, {
        cause: error,
      });
    }
  }

  async pause(nameOrId: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#lifecycle.pause(container));
  }

  async unpause(nameOrId: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(() => this.#lifecycle.unpause(container));
  }

  async rename(nameOrId: string, newName: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(async () => {
      if (container.removing) throw new EngineError('not-found', `No such container: ${nameOrId}`);
      const oldName = container.name;
      if (newName.replace(/^\//, '') === oldName)
        throw new EngineError('invalid', 'Renaming a container with the same name as its current name');
      const name = this.#allocate(newName);
      try {
        await this.#rename(container, name);
      } finally {
        this.#reserved.delete(name);
      }
      await this.#connections.renamed(container);
      publishContainerEvent(this.#deps.events, container.record, 'rename', {
        attributes: { oldName: `/${oldName}` },
      });
    });
  }

  exposedPorts(): ExposedPorts[] {
    return [...this.#index.values()]
      .filter(({ task }) => task !== undefined)
      .map(({ id, record }) => ({
        containerId: id,
        containerName: record.name,
        ports: record.config.exposedPorts.toSorted(byPort).map(parsePort),
      }));
  }

  async update(nameOrId: string, change: ContainerChange): Promise<string[]> {
    const container = this.#index.resolve(nameOrId);
    return await container.queue.run(() => updateContainer(container, change, this.#deps));
  }

  async remove(nameOrId: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    // A stop that waits in the queue for its time-out must not hold up `rm -f`.
    const killed = options.force ? await this.#killAtOnce(container) : undefined;
    await container.queue.run(async () => {
      if (container.removing) return;
      const { task } = container;
      if (task !== undefined) {
        if (!options.force) throw cannotRemove(container);
        await this.#lifecycle.forceEnd(container, task, { killed: killed === task });
      } else if (container.pendingRestart !== undefined) {
        if (!options.force) throw cannotRemove(container);
        await this.#lifecycle.endRestarts(container);
      }
      if (!container.removing) await this.#lifecycle.remove(container, options);
    });
  }

  async prune(
    isWanted: (container: ContainerView) => boolean,
    { signal }: { signal: AbortSignal },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    const filters = new Map([['status', ['created', 'exited', 'dead']]]);
    const stopped = await this.list({ all: true, limit: undefined, size: false, filters });
    const deleted: string[] = [];
    let reclaimedBytes = 0;
    for (const { id } of stopped.filter(isWanted)) {
      if (signal.aborted) break;
      const size = await this.size(id).catch(() => undefined);
      try {
        await this.remove(id, { force: false, volumes: false });
      } catch (error) {
        if (kindOf(error) === 'conflict' || kindOf(error) === 'not-found') continue;
        throw error;
      }
      deleted.push(id);
      reclaimedBytes += size?.writableBytes ?? 0;
    }
    const attributes = { reclaimed: String(reclaimedBytes) };
    this.#deps.events.publish({ type: 'container', action: 'prune', actorId: '', attributes });
    return { deleted, reclaimedBytes };
  }

  async resize(nameOrId: string, size: { columns: number; rows: number }): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    const task = runningTask(container);
    await this.#deps.runtime.resize(task.handle, size);
    const attributes = { height: String(size.rows), width: String(size.columns) };
    publishContainerEvent(this.#deps.events, container.record, 'resize', { attributes });
  }

  async inspect(nameOrId: string): Promise<ContainerView> {
    const container = this.#index.resolve(nameOrId);
    return viewOf(container, await this.#viewContext());
  }

  async size(nameOrId: string): Promise<ContainerSize> {
    const { id, record } = this.#index.resolve(nameOrId);
    const writableBytes = await this.#deps.snapshotter.usage(snapshotKeyOf(id));
    const image = await this.#deps.images.get(record.image.id).catch(() => undefined);
    return { writableBytes, rootfsBytes: writableBytes + (image?.size ?? 0) };
  }

  async list(request: ListRequest): Promise<ContainerView[]> {
    const matches = await compileFilters(request.filters, {
      container: (nameOrId) => this.#index.resolve(nameOrId).record,
      imageIds: async (name) => {
        const image = await this.#deps.images.get(name).catch(() => undefined);
        return new Set(image === undefined ? [] : [image.id, image.manifestDigest, image.configDigest]);
      },
    });
    const all = request.all || request.limit !== undefined || request.filters.has('status');
    const context = await this.#viewContext();
    const views = [...this.#index.values()]
      .filter((container) => all || container.isUp)
      .map((container) => viewOf(container, context));
    const sorted = views.filter(matches).sort((a, b) => (a.createdNano < b.createdNano ? 1 : -1));
    return request.limit === undefined ? sorted : sorted.slice(0, request.limit);
  }

  attach(...asked: Parameters<ContainerBackend['attach']>): Promise<void> {
    return this.#streams.attach(...asked);
  }

  logs(...asked: Parameters<ContainerBackend['logs']>): ReturnType<ContainerBackend['logs']> {
    return this.#streams.logs(...asked);
  }

  wait(...asked: Parameters<ContainerBackend['wait']>): ReturnType<ContainerBackend['wait']> {
    return this.#streams.wait(...asked);
  }

  async export(nameOrId: string, options: { signal: AbortSignal }): Promise<ReadableStream<Uint8Array>> {
    return await exportRoot(this.#index.resolve(nameOrId), this.#deps, options.signal);
  }

  async changes(nameOrId: string, options: { signal: AbortSignal }): Promise<FileChange[]> {
    return (await writtenFiles(this.#index.resolve(nameOrId), this.#deps, options.signal)).changes;
  }

  statsOnce(...asked: Parameters<ContainerBackend['statsOnce']>): ReturnType<ContainerBackend['statsOnce']> {
    return this.#stats.once(...asked);
  }

  followStats(
    ...asked: Parameters<ContainerBackend['followStats']>
  ): ReturnType<ContainerBackend['followStats']> {
    return this.#stats.follow(...asked);
  }

  statPath(...asked: Parameters<ContainerBackend['statPath']>): ReturnType<ContainerBackend['statPath']> {
    return this.#archives.statPath(...asked);
  }

  readPath(...asked: Parameters<ContainerBackend['readPath']>): ReturnType<ContainerBackend['readPath']> {
    return this.#archives.readPath(...asked);
  }

  writePath(...asked: Parameters<ContainerBackend['writePath']>): Promise<void> {
    return this.#archives.writePath(...asked);
  }

  matchPaths(...asked: Parameters<ContainerBackend['matchPaths']>): Promise<string[]> {
    return this.#archives.matchPaths(...asked);
  }

  async commit(
    nameOrId: string,
    request: ContainerCommit,
    { signal }: { signal: AbortSignal },
  ): Promise<Digest> {
    const container = this.#index.resolve(nameOrId);
    const pauses = request.pause && container.task !== undefined && !container.task.paused;
    if (pauses) await this.pause(container.id);
    try {
      return await commitContainer(container, request, { deps: this.#deps, signal });
    } finally {
      // It may have been killed meanwhile.
      if (pauses && container.task?.paused === true) await this.unpause(container.id).catch(() => undefined);
    }
  }

  async top(nameOrId: string, psArguments: string[]): Promise<{ titles: string[]; processes: string[][] }> {
    const container = this.#index.resolve(nameOrId);
    const task = runningTask(container);
    const pids = await this.#deps.runtime.processes(task.handle);
    const table = await run(['ps', ...(psArguments.length === 0 ? ['-ef'] : psArguments)], {
      timeoutMs: 10_000,
    });
    if (table.exitCode !== 0)
      throw new EngineError('internal', `ps: ${table.stderr.trim().split('\n', 1)[0] ?? ''}`);
    const found = filterProcesses(table.stdout, new Set(pids));
    publishContainerEvent(this.#deps.events, container.record, 'top');
    return found;
  }

  counts(): { running: number; paused: number; stopped: number } {
    const counts = { running: 0, paused: 0, stopped: 0 };
    for (const container of this.#index.values()) {
      const status = statusOf(container);
      counts[status === 'running' || status === 'paused' ? status : 'stopped']++;
    }
    return counts;
  }

  async #viewContext(): Promise<ViewContext> {
    const { paths, snapshotter, networks, volumes } = this.#deps;
    const networkIds = new Map((await networks.list()).map(({ name, id }) => [name, id]));
    const nameOf = (id: string) => this.#index.get(id)?.name;
    const linkNames = linkNamesOf([...this.#index.values()].map(({ record }) => record));
    return { paths, driver: snapshotter.driver, networks, networkIds, volumes, nameOf, linkNames };
  }

  /** In memory first: an exit that is written meanwhile has the new name with it, and no write has what another one replaced. */
  async #rename(container: LiveContainer, name: string): Promise<void> {
    const oldName = container.name;
    const assign = (to: string) =>
      this.#index.rename(container, () => {
        container.record = { ...container.record, name: to };
      });
    assign(name);
    try {
      await this.#deps.store.update(container.record);
    } catch (error) {
      assign(oldName);
      await this.#deps.store.update(container.record).catch(() => undefined);
      throw error;
    }
  }

  /** A user's wish of before, told when the container turned unhealthy. A kill leaves what follows to the restart policy. */
  async #actOnFailure(
    container: LiveContainer,
    task: LiveTask,
    action: Exclude<HealthFailureAction, 'none'>,
  ): Promise<void> {
    if (container.task !== task) return;
    const asUsual = { signal: undefined, timeoutSeconds: undefined };
    if (action === 'restart') await this.restart(container.id, asUsual);
    else if (action === 'stop') await this.stop(container.id, asUsual);
    else await this.#lifecycle.forceEnd(container, task, { byUser: false });
  }

  /** @returns the task that was killed. */
  async #killAtOnce(container: LiveContainer): Promise<LiveTask | undefined> {
    const { task } = container;
    if (task === undefined) return undefined;
    return await this.#lifecycle.kill(container, parseSignal('KILL')).then(
      () => task,
      () => undefined,
    );
  }

  /** Check and reserve a new name for a container that has one. */
  #allocate(name: string): string {
    try {
      const checked = checkName(`/${name.replace(/^\//, '')}`);
      this.#reserve(checked);
      return checked;
    } catch (error) {
      const message = `Error when allocating new name: ${messageOf(error)}`;
      throw new EngineError(kindOf(error), message, { cause: error });
    }
  }

  /** @throws EngineError "conflict" in Docker's words when the name is taken. */
  #reserve(name: string): void {
    const holder = this.#index.byName(name);
    if (holder === undefined && !this.#reserved.has(name)) {
      this.#reserved.add(name);
      return;
    }
    const by = holder === undefined ? 'another container' : `container "${holder.id}"`;
    throw new EngineError(
      'conflict',
      `Conflict. The container name "/${name}" is already in use by ${by}. You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }
}

function cannotRemove(container: LiveContainer): EngineError {
  const state = container.pendingRestart === undefined ? 'running' : 'restarting';
  const reason = container.task?.paused
    ? 'container is paused and must be unpaused first'
    : `container is ${state}: stop the container before removing or force remove`;
  return new EngineError('conflict', `cannot remove container "${container.name}": ${reason}`);
}
