import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import { type LogFields, type Logger, silentLogger } from '../../errors/logger.ts';
import type { ImageView } from '../../images/image-backend.ts';
import { emptyProcessConfig } from '../../images/making/import-changes.ts';
import type { Endpoint, NetworkInfo, Networks } from '../../network/network-driver.ts';
import type { PublishedPorts } from '../../network/ports/published-ports.ts';
import { parseDigest } from '../../oci/digest.ts';
import type { RuntimeSpec } from '../../runtime/runtime-spec.ts';
import { plainHostOptions } from '../../runtime/spec/plain-host-options.ts';
import type { FakeProgram } from '../../runtime/testing/fake-programs.ts';
import { FakeHost, FakeRuntime } from '../../runtime/testing/fake-runtime.ts';
import type { SnapshotKey, Snapshotter } from '../../snapshots/snapshotter.ts';
import type { SqlValue, StateDb, Statement } from '../../storage/state-db.ts';
import { LocalVolumes } from '../../volumes/local-volumes.ts';
import { commandOf } from '../command.ts';
import type { ContainerConfig, HostOptions } from '../container.ts';
import { ContainerService } from '../container-service.ts';
import { plainDefaults } from '../creation/container-defaults.ts';
import { ContainerLogs } from '../logs/container-logs.ts';
import { SourceThreads } from '../mounts/source-threads.ts';
import type { SharedMemory } from '../namespaces/shared-memory.ts';
import { ContainerPaths } from '../record/container-paths.ts';
import { ContainerStore } from '../record/container-store.ts';
import { TaskNotes } from '../tasks/task-notes.ts';

/** The rows of `containers`, which outlive a daemon. While `failing` is set, nothing can be written. */
export class FakeStateDb implements StateDb {
  readonly rows = new Map<string, string>();
  /** Names, with what a row has beside them. */
  readonly volumes = new Map<string, object>();
  failing = false;
  /** While that file is there, the disk is full. */
  filledBy: string | undefined;

  async query<Row>(sql: string, [name]: SqlValue[] = []): Promise<Row[]> {
    if (sql.includes('volumes')) {
      const rows = [...this.volumes].map(([key, rest]) => ({ name: key, ...rest }));
      return rows.filter((row) => name === undefined || row.name === name) as Row[];
    }
    return [...this.rows.values()].map((record) => ({ record })) as Row[];
  }

  async transact(statements: Statement[]): Promise<void> {
    await Promise.resolve();
    if (this.failing) throw new EngineError('internal', 'attempt to write a readonly database');
    if (this.filledBy !== undefined && existsSync(this.filledBy))
      throw new EngineError('internal', 'database or disk is full', { code: 'no-space' });
    for (const { sql, params = [] } of statements)
      if (sql.includes('volumes')) this.#applyToVolumes(sql, params);
      else this.#apply(sql, params.map(String));
  }

  async close(): Promise<void> {}

  #applyToVolumes(sql: string, params: SqlValue[]): void {
    const [name, , anonymous, created_nano, labels, options, owner, mode] = params;
    const row = { anonymous, created_nano, labels, options, owner, mode };
    if (sql.startsWith('INSERT')) this.volumes.set(String(name), row);
    else this.volumes.delete(String(name));
  }

  #markStopped(id: string): void {
    const row = this.rows.get(id);
    if (row !== undefined)
      this.rows.set(id, JSON.stringify({ ...(JSON.parse(row) as object), stoppedByUser: true }));
  }

  #apply(sql: string, params: string[]): void {
    const [first = '', second = '', third = ''] = params;
    if (sql.startsWith('INSERT')) this.rows.set(first, third);
    else if (sql.startsWith('DELETE')) this.rows.delete(first);
    else if (sql.includes('json_set')) this.#markStopped(first);
    else if (this.rows.has(third)) this.rows.set(third, second);
  }
}

/** What lies on the host and is there when the next daemon comes: nothing of it may be left once all containers are gone. */
export class FakeMachine {
  readonly db = new FakeStateDb();
  readonly tasks = new FakeHost();
  readonly snapshots = new Set<string>();
  readonly mounted = new Set<string>();
  readonly namespaces = new Set<string>();
  readonly endpoints = new Set<string>();
  readonly directory = mkdtempSync(join(tmpdir(), 'sampan-containers-'));
  /** What others do while a snapshot is made. */
  meanwhile: (key: string) => Promise<void> = async () => undefined;
  /** Images whose containers are gone with their files, as images are told. */
  readonly gone: string[] = [];
  /** Creations that hold their image just now. */
  holds = 0;
  /** Set to make the next step of that name fail. */
  failAt: 'mount' | 'connect' | 'note' | undefined;

  constructor() {
    mkdirSync(this.execRoot);
  }

  get execRoot(): string {
    return join(this.directory, 'run');
  }

  holdImage(): { image: ImageView; release: () => void } {
    this.holds++;
    return { image: imageView(), release: () => void this.holds-- };
  }

  leftovers(): string[] {
    const { tasks, snapshots, mounted, namespaces, endpoints } = this;
    return [...tasks.tasks.keys(), ...snapshots, ...mounted, ...namespaces, ...endpoints];
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  fail(step: string): void {
    if (this.failAt === step) throw new EngineError('internal', `no ${step} today`);
  }
}

/** One daemon's containers on a machine. */
export interface TestDaemon {
  service: ContainerService;
  runtime: FakeRuntime;
  paths: ContainerPaths;
  notes: TaskNotes;
  events: string[];
  errors: string[];
}

export async function bootDaemon(
  machine: FakeMachine,
  programs: Readonly<Record<string, FakeProgram>>,
): Promise<TestDaemon> {
  const runtime = new FakeRuntime({ programs }, machine.tasks);
  const paths = new ContainerPaths({
    dataRoot: join(machine.directory, 'data'),
    execRoot: machine.execRoot,
  });
  const events: string[] = [];
  const errors: string[] = [];
  const notes = new TaskNotes(paths.notes);
  const service = new ContainerService({
    store: new ContainerStore(machine.db),
    notes,
    paths,
    images: {
      get: async () => imageView(),
      hold: async () => machine.holdImage(),
      commit: async () => imageView().id,
      used: () => undefined,
      containerGone: (id) => void machine.gone.push(id),
    },
    snapshotter: fakeSnapshotter(machine),
    runtime,
    networks: fakeNetworks(machine),
    volumes: new LocalVolumes({
      root: join(machine.directory, 'volumes'),
      db: machine.db,
      logger: silentLogger,
    }),
    mountSources: new SourceThreads(),
    sharedMemory: fakeSharedMemory(machine),
    defaults: plainDefaults,
    userNamespaces: { of: () => -1, keep: () => undefined },
    logs: new ContainerLogs({
      paths,
      runtime,
      logger: silentLogger,
      defaults: { type: 'json-file', config: {} },
      renderTag: (template) => template,
    }),
    resolver: async () => ({ nameservers: [], search: [], options: [] }),
    buildSpec: async ({ record }) => ({ process: { args: commandOf(record.config) } }) as RuntimeSpec,
    events: { publish: ({ action }) => events.push(action) },
    logger: recordingLogger(errors),
  });
  await service.recover();
  return { service, runtime, paths, notes, events, errors };
}

function recordingLogger(errors: string[]): Logger {
  const nothing = () => undefined;
  const error = (message: string, fields?: LogFields) => void errors.push(`${message}: ${fields?.['error']}`);
  return { debug: nothing, info: nothing, warn: nothing, error };
}

function fakeSharedMemory({ mounted }: FakeMachine): SharedMemory {
  const path = (id: string) => `shared memory of ${id}`;
  return {
    path,
    mount: async (id) => {
      mounted.add(path(id));
      return path(id);
    },
    unmount: async (id) => void mounted.delete(path(id)),
    recover: async (keep) => {
      for (const name of mounted)
        if (name.startsWith(path('')) && !keep.has(name.slice(path('').length))) mounted.delete(name);
    },
  };
}

/** Only what containers ask of it. */
function fakeSnapshotter(machine: FakeMachine): Snapshotter {
  const { snapshots, mounted } = machine;
  const used: Partial<Snapshotter> = {
    driver: 'erofs',
    prepare: async (key) => {
      await machine.meanwhile(key);
      snapshots.add(key);
    },
    mount: async (key) => {
      machine.fail('mount');
      mounted.add(`mount of ${key}`);
    },
    unmount: async (key) => void mounted.delete(`mount of ${key}`),
    remove: async (key) => {
      if (mounted.has(`mount of ${key}`)) throw new EngineError('conflict', 'the snapshot is mounted');
      snapshots.delete(key);
    },
    usage: async () => 0,
    recover: async (keep) => {
      for (const key of snapshots) if (!keep.has(key as SnapshotKey)) snapshots.delete(key);
    },
  };
  return used as Snapshotter;
}

function fakeNetworks(machine: FakeMachine): Networks {
  const { namespaces, endpoints } = machine;
  const bridge = { id: 'n', name: 'bridge', driver: 'bridge', ipam: [] as unknown } as NetworkInfo;
  const used: Partial<Networks> = {
    ports: fakePorts(),
    resolvConf: async () => ({ nameservers: ['10.9.8.7'], search: [], options: [] }),
    hostGateway: async () => '172.17.0.1',
    list: async () => [bridge],
    get: async (name) => ({ ...bridge, name: name === '' || name === 'default' ? 'bridge' : name }),
    namespacePath: (id) => `/run/netns/${id}`,
    createNamespace: async (id) => {
      namespaces.add(`namespace of ${id}`);
      return `/run/netns/${id}`;
    },
    removeNamespace: async (id) => void namespaces.delete(`namespace of ${id}`),
    connect: async ({ containerId, network }) => {
      machine.fail('connect');
      const endpoint = testEndpoint(containerId, network);
      endpoints.add(endpoint.endpointId);
      return endpoint;
    },
    disconnect: async ({ endpointId }) => void endpoints.delete(endpointId),
    recover: async (keep, kept) => {
      const ids = new Set(keep.map(({ endpointId }) => endpointId));
      for (const endpoint of endpoints) if (!ids.has(endpoint)) endpoints.delete(endpoint);
      for (const name of namespaces)
        if (!kept.has(name.replace('namespace of ', ''))) namespaces.delete(name);
    },
  };
  return used as Networks;
}

function fakePorts(): PublishedPorts {
  return {
    publish: async () => [],
    withdraw: async () => undefined,
    rest: async () => undefined,
    recover: async () => undefined,
    of: () => [],
  };
}

export function testEndpoint(containerId: string, networkName: string): Endpoint {
  return {
    containerId,
    endpointId: `endpoint of ${containerId} on ${networkName}`,
    networkId: 'n',
    networkName,
    networkDriver: 'bridge',
    interfaceName: 'eth0',
    hostInterfaceName: 'v0',
    macAddress: '02:00:00:00:00:01',
    ipv4: { address: '10.9.8.2', prefixLength: 24, gateway: '10.9.8.1' },
    ipv6: undefined,
    linkLocalAddresses: [],
    gatewayPriority: 0,
    names: [],
    links: {},
    forwarding: undefined,
  };
}

function imageView(): ImageView {
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
  const view: Partial<ImageView> = {
    id: digest,
    manifestDigest: digest,
    configDigest: digest,
    chainId: undefined,
    platform: { os: 'linux', architecture: 'amd64' },
    config: { config: emptyProcessConfig() } as unknown as ImageView['config'],
    size: 0,
  };
  return view as ImageView;
}

export function testConfig(command: string, change: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    hostname: '',
    domainname: '',
    user: '',
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    tty: false,
    openStdin: false,
    stdinOnce: false,
    env: [],
    cmd: command.split(' '),
    entrypoint: undefined,
    image: 'test',
    labels: {},
    workingDir: '',
    exposedPorts: [],
    volumes: [],
    stopSignal: undefined,
    stopTimeoutSeconds: undefined,
    healthcheck: undefined,
    shell: undefined,
    onBuild: [],
    networkDisabled: false,
    ...change,
  };
}

/** Only what containers read of it. */
export function testHost(change: Partial<HostOptions> = {}): HostOptions {
  const host: Partial<HostOptions> = {
    ...(plainHostOptions as Partial<HostOptions>),
    autoRemove: false,
    binds: [],
    tmpfs: {},
    mounts: [],
    volumesFrom: [],
    volumeDriver: '',
    networkMode: 'bridge',
    portBindings: {},
    pidMode: '',
    ipcMode: '',
    utsMode: '',
    runtime: '',
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    extraHosts: [],
    storageOpt: {},
    sizeLimitBytes: 0,
    links: [],
    logConfig: { type: 'json-file', config: {} },
    restartPolicy: { name: '', maximumRetryCount: 0 },
    resources: {
      memoryBytes: 0n,
      memoryReservationBytes: 0n,
      memorySwapBytes: 0n,
      cpuShares: 0,
      nanoCpus: 0n,
      cpuPeriodUs: 0,
      cpuQuotaUs: 0,
      cpusetCpus: '',
      cpusetMems: '',
      blkioWeight: 0,
      pidsLimit: 0,
      memorySwappiness: -1,
    },
    ...change,
  };
  return host as HostOptions;
}
