import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildService } from '../builder/build-service.ts';
import { CacheStore } from '../builder/solver/cache-store.ts';
import { ContainerService } from '../containers/container-service.ts';
import { ContainerLogs } from '../containers/logs/container-logs.ts';
import { SourceThreads } from '../containers/mounts/source-threads.ts';
import { HostSharedMemory } from '../containers/namespaces/host-shared-memory.ts';
import type { ResolverSettings } from '../containers/networking/network-files.ts';
import { NetworkService } from '../containers/networking/network-service.ts';
import { ContainerPaths } from '../containers/record/container-paths.ts';
import { ContainerStore } from '../containers/record/container-store.ts';
import { TaskNotes } from '../containers/tasks/task-notes.ts';
import { VolumeService } from '../containers/volumes/volume-service.ts';
import { LocalContentStore } from '../content/local-content-store.ts';
import type { Logger } from '../errors/logger.ts';
import { EventBus } from '../events/event-bus.ts';
import { threadedReceiver } from '../images/archives/archive-receiver.ts';
import { explorePool } from '../images/explore/explore-runner.ts';
import { ImageService, type ImageServiceOptions } from '../images/image-service.ts';
import { layerPool } from '../images/layers/layer-runner.ts';
import { readSignaturePolicy } from '../images/transfer/signature-policy.ts';
import { uploadPool } from '../images/transfer/upload-runner.ts';
import { BridgeNetworks } from '../network/bridge-networks.ts';
import { SqliteNetworkStore } from '../network/network-store.ts';
import { warnOnce } from '../registry/sources/warn-once.ts';
import { defaultTiming } from '../registry/transport/timing.ts';
import { CdiRegistry } from '../runtime/cdi/cdi-registry.ts';
import { ConmonRuntime } from '../runtime/conmon/conmon-runtime.ts';
import { ensureDefaultProfile } from '../runtime/default-apparmor.ts';
import { probeRuntime } from '../runtime/probe/probe.ts';
import {
  chooseSnapshotDriver,
  openSnapshotter,
  type SnapshotChoice,
} from '../snapshots/create-snapshotter.ts';
import type { Snapshotter } from '../snapshots/snapshotter.ts';
import { SqliteStateDb } from '../storage/sqlite-state-db.ts';
import { bootId } from '../sys/clock.ts';
import { type IdMap, rootOf } from '../sys/id-map.ts';
import { LastingCgroup } from '../sys/lasting-cgroup.ts';
import { spreadDirectories } from '../sys/spread-directories.ts';
import { UserNamespaces } from '../sys/user-namespaces.ts';
import { LocalVolumes } from '../volumes/local-volumes.ts';
import { defaultSecurity } from './container-settings.ts';
import { containerSpec } from './container-spec.ts';
import type { DaemonSettings } from './daemon-settings.ts';
import { EngineRegistry } from './embedded-registry/engine-registry.ts';
import { cgroupParentOf, engineSuffix } from './engine-suffix.ts';
import { renderLogTag } from './log-tag.ts';
import { openBuilder } from './open-builder.ts';
import { RegistryAccess, type RegistryDaemonSettings } from './registry-access.ts';
import { migrations } from './schema.ts';
import { checkRemap } from './userns-remap/check-remap.ts';
import { remappedIds } from './userns-remap/remapped-ids.ts';

/** How long the daemon waits with serving for containers that start with it. */
const START_PATIENCE_MS = 20_000;

/** The engine's rooms, wired. What `server/` serves, and what a library embeds. */
export class Engine {
  readonly images: ImageService;
  readonly containers: ContainerService;
  readonly builder: BuildService;
  readonly networks: BridgeNetworks;
  /** As clients see them. */
  readonly networkService: NetworkService;
  readonly volumes: VolumeService;
  readonly events: EventBus;
  readonly snapshotter: Snapshotter;
  readonly runtime: ConmonRuntime;
  /** Why it is this snapshotter and this runtime, as the start found out. */
  readonly chosen: Chosen;
  readonly content: LocalContentStore;
  readonly registry: RegistryAccess;
  /** The registry that others may be served from. */
  readonly embeddedRegistry: EngineRegistry;
  /** Of new containers; undefined: the host's. */
  readonly idMap: IdMap | undefined;
  readonly #userNamespaces: UserNamespaces;
  readonly #db: SqliteStateDb;

  private constructor(rooms: Rooms) {
    this.images = rooms.images;
    this.containers = rooms.containers;
    this.builder = rooms.builder;
    this.networks = rooms.networks;
    this.networkService = rooms.networkService;
    this.volumes = rooms.volumes;
    this.events = rooms.events;
    this.snapshotter = rooms.snapshotter;
    this.runtime = rooms.runtime;
    this.chosen = rooms.chosen;
    this.content = rooms.content;
    this.registry = rooms.registry;
    this.embeddedRegistry = rooms.embeddedRegistry;
    this.idMap = rooms.idMap;
    this.#userNamespaces = rooms.userNamespaces;
    this.#db = rooms.db;
  }

  /**
   * Open the roots, choose what works on this host, find again what runs. The caller holds the lock on both roots and is in the engine's
   * mount namespace.
   */
  static async open(settings: DaemonSettings, logger: Logger): Promise<Engine> {
    await mkdir(settings.execRoot, { recursive: true, mode: 0o711 });
    const rooms = await openRooms(settings, logger);
    await Promise.all([rooms.networks.start(), ensureDefaultProfile(logger)]);
    await rooms.containers.recover();
    await rooms.builder.recover();
    await rooms.images.collectGarbage();
    await startDue(rooms.containers, logger);
    void rooms.runtime.warm();
    return new Engine(rooms);
  }

  /** Registries and mirrors for pulls from now on. */
  reload(settings: RegistryDaemonSettings): void {
    this.registry.configure(settings);
  }

  /** Let go of everything in order; containers run on. */
  async close(): Promise<void> {
    await this.builder.close();
    await this.containers.close();
    await this.images.close();
    await this.runtime.close();
    await this.networks.close();
    await this.snapshotter.close();
    await this.events.close();
    this.embeddedRegistry.close();
    this.#userNamespaces.close();
    await this.#db.close();
  }
}

/**
 * What is to run does so when the daemon serves, as in Docker; what takes longer, since a runtime hangs, is started behind it.
 */
async function startDue(containers: ContainerService, logger: Logger): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    logger.warn('Containers are still being started: serving meanwhile');
    late.resolve();
  }, START_PATIENCE_MS);
  await Promise.race([containers.startDue(), late.promise]);
  clearTimeout(timer);
}

/** What was chosen by trying. */
export interface Chosen {
  storage: SnapshotChoice;
  /** Why others were not taken. */
  rejectedRuntimes: readonly string[];
}

interface Rooms {
  chosen: Chosen;
  db: SqliteStateDb;
  events: EventBus;
  content: LocalContentStore;
  snapshotter: Snapshotter;
  runtime: ConmonRuntime;
  networks: BridgeNetworks;
  networkService: NetworkService;
  volumes: VolumeService;
  registry: RegistryAccess;
  embeddedRegistry: EngineRegistry;
  images: ImageService;
  containers: ContainerService;
  builder: BuildService;
  idMap: IdMap | undefined;
  userNamespaces: UserNamespaces;
}

async function openRooms(settings: DaemonSettings, logger: Logger): Promise<Rooms> {
  const { dataRoot, execRoot } = settings;
  const idMap = await remappedIds(settings.usernsRemap, logger);
  const cgroupParent = cgroupParentOf(settings);
  const layers = { root: join(dataRoot, 'layers'), logger };
  const [db, storage, probed] = await Promise.all([
    SqliteStateDb.open(join(dataRoot, 'state.db'), migrations),
    chooseSnapshotDriver({ driver: settings.storageDriver, ...layers }),
    probeRuntime({
      directory: join(execRoot, 'probe'),
      cgroupParent,
      ownMountNamespace: true,
      logger,
      ...(settings.defaultRuntime === undefined ? {} : { runtime: settings.defaultRuntime }),
    }),
  ]);
  const snapshotter = openSnapshotter(storage, logger);
  const lasting = new LastingCgroup({ parent: `/sampan-${engineSuffix(dataRoot)}`, logger });
  const runtime = new ConmonRuntime({
    directory: join(execRoot, 'oci'),
    probed,
    cgroupParent,
    lasting,
    ownMountNamespace: true,
    logger,
  });
  const networks = new BridgeNetworks({
    store: new SqliteNetworkStore(db),
    execRoot,
    owner: dataRoot,
    logger,
    mtu: settings.mtu,
    forwarding: settings.ipForward,
    openTransit: settings.ipForwardNoDrop,
    lasting,
    ...(settings.addressPools === undefined ? {} : { pools: settings.addressPools }),
    ...(settings.bip === undefined ? {} : { bip: settings.bip }),
    ...(settings.hostGateway === undefined ? {} : { hostGateway: settings.hostGateway }),
    ...(settings.bridge === undefined ? {} : { bridgeName: settings.bridge }),
  });
  const events = await EventBus.open(db, logger);
  const content = await LocalContentStore.open(join(dataRoot, 'content'));
  const buildCache = await CacheStore.open(db);
  const registryLogger = warnOnce(logger, defaultTiming.deadMirrorMs);
  const registry = new RegistryAccess(settings, registryLogger);
  /** Filled below: images, containers and the registry know of each other. */
  const wired: { containers?: ContainerService } = {};
  const embeddedRegistry = await EngineRegistry.open(dataRoot, () => images);
  const images: ImageService = await ImageService.open({
    db,
    content,
    snapshotter,
    registry,
    runner: layerPool(settings.maxConcurrentDownloads, registryLogger),
    uploads: uploadPool(settings.maxConcurrentUploads, registryLogger),
    receiver: threadedReceiver(content.root),
    explorer: explorePool(logger),
    ...(await signaturePolicyOf(settings)),
    usage: {
      usedBy: (id) => wired.containers?.usersOf(id) ?? [],
      manifestUsedBy: (digest) => wired.containers?.manifestUsers(digest) ?? [],
      roots: () => {
        const used = wired.containers?.imageRoots() ?? { blobs: [], chains: [] };
        const cached = buildCache.roots();
        return {
          blobs: [...used.blobs, ...embeddedRegistry.roots().blobs, ...cached.blobs],
          chains: [...used.chains, ...cached.chains],
        };
      },
    },
    events,
    logger,
    bootId: bootId(),
  });
  const paths = new ContainerPaths({ dataRoot, execRoot });
  // Containers' roots lie there, whose processes have to get through. Mounts below are seen by ours alone.
  await mkdir(paths.rootfsAll, { recursive: true });
  await chmod(paths.rootfsAll, 0o711);
  if (idMap !== undefined) await checkRemap(idMap, { snapshotter, rootfsAll: paths.rootfsAll });
  const userNamespaces = new UserNamespaces(join(execRoot, 'userns'));
  await mkdir(paths.all, { recursive: true, mode: 0o710 });
  spreadDirectories(paths.all);
  const { cgroupDriver, cgroupVersion } = probed.info;
  const specHost = {
    cgroupParent,
    cgroupDriver,
    cgroupVersion,
    init: settings.containers.init,
    initPath: settings.containers.initPath,
    security: await defaultSecurity(settings.containers),
    onWarning: (warning: string) => logger.warn(warning),
    cdi: new CdiRegistry(settings.cdiFolders, logger),
  };
  const logs = new ContainerLogs({
    paths,
    runtime,
    logger,
    defaults: settings.containerLog,
    renderTag: renderLogTag,
  });
  const localVolumes = new LocalVolumes({
    root: join(dataRoot, 'volumes'),
    db,
    logger,
    owner: idMap === undefined ? undefined : rootOf(idMap),
  });
  const resolver = async (network: 'host' | 'own' | 'names'): Promise<ResolverSettings> =>
    resolverOf(settings, await networks.resolvConf(network === 'own' ? 'own' : 'host'));
  const builder = await openBuilder({
    dataRoot,
    execRoot,
    store: buildCache,
    content,
    images,
    snapshotter,
    runtime,
    networks,
    resolver,
    paths,
    idMap,
    userNamespaces,
    cgroups: { parent: cgroupParent, driver: cgroupDriver, version: cgroupVersion },
    collection: settings.buildCache,
    logger,
  });
  const containers = new ContainerService({
    store: new ContainerStore(db),
    notes: new TaskNotes(paths.notes),
    paths,
    images,
    snapshotter,
    runtime,
    networks,
    buildSpec: (context) => containerSpec(context, specHost),
    volumes: localVolumes,
    mountSources: new SourceThreads(),
    resolver,
    defaults: { ...settings.containers.defaults, idMap, dataRoot: settings.dataRoot },
    userNamespaces,
    sharedMemory: new HostSharedMemory(paths.sharedMemory, logger),
    logs,
    events,
    logger,
  });
  wired.containers = containers;
  const usersOf = (volume: string) => containers.volumeUsers(volume);
  const volumes = new VolumeService({ volumes: localVolumes, usersOf, events, scratch: paths.scratch });
  return {
    chosen: { storage, rejectedRuntimes: probed.rejected },
    db,
    events,
    content,
    snapshotter,
    runtime,
    networks,
    networkService: new NetworkService({ networks, containers, events }),
    volumes,
    registry,
    embeddedRegistry,
    images,
    containers,
    builder,
    idMap,
    userNamespaces,
  };
}

/** A policy that can't be used stops the start, and later, when it has changed, each pull. */
async function signaturePolicyOf({
  signaturePolicy: path,
}: DaemonSettings): Promise<Pick<ImageServiceOptions, 'signaturePolicy'>> {
  if (path === undefined) return {};
  await readSignaturePolicy(path);
  return { signaturePolicy: () => readSignaturePolicy(path) };
}

/** The host's resolvers, unless the daemon's own `dns` settings say otherwise. */
function resolverOf(
  { dns, dnsSearch, dnsOptions }: DaemonSettings,
  host: ResolverSettings,
): ResolverSettings {
  return {
    nameservers: dns.length > 0 ? dns : host.nameservers,
    search: dnsSearch.length > 0 ? dnsSearch : host.search,
    options: dnsOptions.length > 0 ? dnsOptions : host.options,
  };
}
