import { EngineError } from '../errors/engine-error.ts';
import type { ExposedPorts } from '../network/exposure/exposure.ts';
import type { NetworkInfo } from '../network/network-driver.ts';
import type { ChainId, Digest } from '../oci/digest.ts';
import { byPort, parsePort } from '../oci/port-text.ts';
import { ArchiveService } from './archive/archive-service.ts';
import type { FileChange } from './archive/file-changes.ts';
import { commitContainer, exportRoot, writtenFiles } from './archive/root-files.ts';
import type { ContainerView } from './container.ts';
import type { ContainerBackend, ContainerCommit } from './container-backend.ts';
import { publishContainerEvent } from './container-events.ts';
import { ContainerCreations } from './creation/container-creations.ts';
import type { ContainerDependencies } from './dependencies.ts';
import { ExecService } from './exec/exec-service.ts';
import { HealthService } from './health/health-service.ts';
import { ContainerControl } from './lifecycle/container-control.ts';
import { endsWithin } from './lifecycle/container-stops.ts';
import { Lifecycle } from './lifecycle/lifecycle.ts';
import { pruneContainers } from './lifecycle/prune-containers.ts';
import { unlink } from './links/linked-containers.ts';
import type { LiveContainer } from './live-container.ts';
import { volumeUsers } from './mounts/volume-users.ts';
import { ContainerConnections } from './networking/container-connections.ts';
import type { NetworkMembership } from './networking/container-networks.ts';
import { recallPorts } from './ports/change-ports.ts';
import { ContainerQueries, type ImageUser } from './queries/container-queries.ts';
import { listProcesses } from './queries/list-processes.ts';
import { ContainerNames } from './record/container-names.ts';
import { ContainerRenames } from './record/container-renames.ts';
import { ContainerIndex } from './record/container-store.ts';
import { recoverContainers } from './recovery.ts';
import { startInOrder } from './restarts/start-due.ts';
import { StatsService } from './stats/stats-service.ts';
import { StreamService } from './streams/stream-service.ts';
import { runningTask } from './tasks/running-task.ts';
import type { ContainerChange } from './update/container-update.ts';
import { updateContainer } from './update/update-container.ts';

/** How long an end that a pause has run into may take to be known. */
const END_PATIENCE_MS = 1000;

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
  readonly #creations: ContainerCreations;
  readonly #renames: ContainerRenames;
  readonly #control: ContainerControl;
  readonly #queries: ContainerQueries;
  /** What is to run and has not been started yet. */
  #due: LiveContainer[] = [];

  constructor(deps: ContainerDependencies) {
    this.execs = new ExecService(deps, this.#index);
    this.#health = new HealthService({
      deps,
      execs: this.execs,
      act: (container, task, action) => this.#control.actOnFailure(container, task, action),
    });
    this.#deps = { ...deps, observer: this.#health };
    this.#lifecycle = new Lifecycle(this.#deps, this.#index);
    const names = new ContainerNames(this.#index);
    this.#creations = new ContainerCreations(deps, this.#index, names);
    this.#renames = new ContainerRenames(deps, this.#index, names);
    this.#control = new ContainerControl(deps, this.#index, this.#lifecycle);
    this.#queries = new ContainerQueries(deps, this.#index);
    this.#streams = new StreamService(deps, this.#index);
    this.#connections = new ContainerConnections(deps);
    this.#stats = new StatsService(this.#index, deps.logger);
    this.#archives = new ArchiveService(deps, this.#index, (container) => this.#queries.view(container));
  }

  /** Find again what ran on without this daemon, record what ended meanwhile, clear away what belongs to nobody. */
  async recover(): Promise<void> {
    this.#due = await recoverContainers(this.#deps, this.#index, this.#lifecycle, this.execs);
    this.#health.recover(this.#index.values());
    for (const container of this.#index.values()) {
      if (container.task === undefined) continue;
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

  /** As `ContainerQueries.usersOf`. */
  usersOf(image: Digest): ImageUser[] {
    return this.#queries.usersOf(image);
  }

  /** As `ContainerQueries.manifestUsers`. */
  manifestUsers(manifest: Digest): ImageUser[] {
    return this.#queries.manifestUsers(manifest);
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

  /** As `ContainerQueries.networkUsers`. */
  networkUsers(network: NetworkInfo): number {
    return this.#queries.networkUsers(network);
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

  /** As `ContainerQueries.imageRoots`. */
  imageRoots(): { blobs: Digest[]; chains: ChainId[] } {
    return this.#queries.imageRoots();
  }

  create(...asked: Parameters<ContainerBackend['create']>): ReturnType<ContainerBackend['create']> {
    return this.#creations.create(...asked);
  }

  start(...asked: Parameters<ContainerBackend['start']>): ReturnType<ContainerBackend['start']> {
    return this.#control.start(...asked);
  }

  stop(...asked: Parameters<ContainerBackend['stop']>): ReturnType<ContainerBackend['stop']> {
    return this.#control.stop(...asked);
  }

  /** As `ContainerControl.stopAll`. */
  stopAll(): Promise<void> {
    return this.#control.stopAll();
  }

  restart(...asked: Parameters<ContainerBackend['restart']>): ReturnType<ContainerBackend['restart']> {
    return this.#control.restart(...asked);
  }

  kill(...asked: Parameters<ContainerBackend['kill']>): ReturnType<ContainerBackend['kill']> {
    return this.#control.kill(...asked);
  }

  pause(...asked: Parameters<ContainerBackend['pause']>): ReturnType<ContainerBackend['pause']> {
    return this.#control.pause(...asked);
  }

  unpause(...asked: Parameters<ContainerBackend['unpause']>): ReturnType<ContainerBackend['unpause']> {
    return this.#control.unpause(...asked);
  }

  async rename(nameOrId: string, newName: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    await container.queue.run(async () => {
      if (container.removing) throw new EngineError('not-found', `No such container: ${nameOrId}`);
      await this.#renames.rename(container, newName, () => this.#connections.renamed(container));
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

  remove(...asked: Parameters<ContainerBackend['remove']>): ReturnType<ContainerBackend['remove']> {
    return this.#control.remove(...asked);
  }

  async unlink(nameOrId: string, alias: string): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    const { paths, store } = this.#deps;
    await container.queue.run(() => unlink(container, alias, { containers: this.#index, paths, store }));
  }

  prune(
    isWanted: (container: ContainerView) => boolean,
    { signal }: { signal: AbortSignal },
  ): ReturnType<ContainerBackend['prune']> {
    return pruneContainers(this, isWanted, { events: this.#deps.events, signal });
  }

  async resize(nameOrId: string, size: { columns: number; rows: number }): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    const task = runningTask(container);
    await this.#deps.runtime.resize(task.handle, size);
    const attributes = { height: String(size.rows), width: String(size.columns) };
    publishContainerEvent(this.#deps.events, container.record, 'resize', { attributes });
  }

  async inspect(nameOrId: string): Promise<ContainerView> {
    return await this.#queries.view(this.#index.resolve(nameOrId));
  }

  size(...asked: Parameters<ContainerBackend['size']>): ReturnType<ContainerBackend['size']> {
    return this.#queries.size(...asked);
  }

  list(...asked: Parameters<ContainerBackend['list']>): ReturnType<ContainerBackend['list']> {
    return this.#queries.list(...asked);
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
    if (pauses) await this.#pauseUnlessEnded(container);
    try {
      return await commitContainer(container, request, { deps: this.#deps, signal });
    } finally {
      // It may have been killed meanwhile.
      if (pauses && container.task?.paused === true) await this.unpause(container.id).catch(() => undefined);
    }
  }

  /** What ends just now has nothing that a pause would hold still. */
  async #pauseUnlessEnded(container: LiveContainer): Promise<void> {
    const { task } = container;
    try {
      await this.pause(container.id);
    } catch (error) {
      if (task === undefined || !(await endsWithin(task, END_PATIENCE_MS))) throw error;
    }
  }

  async top(nameOrId: string, psArguments: string[]): ReturnType<ContainerBackend['top']> {
    return await listProcesses(this.#index.resolve(nameOrId), psArguments, this.#deps);
  }

  counts(...asked: Parameters<ContainerBackend['counts']>): ReturnType<ContainerBackend['counts']> {
    return this.#queries.counts(...asked);
  }
}
