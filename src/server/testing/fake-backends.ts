import type { BuildBackend } from '../../builder/build-backend.ts';
import type { BuildCachePrune } from '../../builder/builder.ts';
import type { BuildkitBackend } from '../../buildkit/buildkit-endpoint.ts';
import type { PathStat } from '../../containers/archive/path-stat.ts';
import type { ContainerStatus, ContainerView } from '../../containers/container.ts';
import type {
  AttachClient,
  AttachRequest,
  ContainerBackend,
  CreateRequest,
  ListRequest,
  LogLine,
  LogRequest,
  WaitCondition,
  WaitResult,
} from '../../containers/container-backend.ts';
import type { LifelineBackend } from '../../containers/lifelines/lifeline-backend.ts';
import type { NetworkBackend, NetworkMember } from '../../containers/networking/network-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { EngineEvent } from '../../events/event.ts';
import type { ImageBackend, ImageView, PullProgress, PullRequest } from '../../images/image-backend.ts';
import { parseDigest } from '../../oci/digest.ts';
import { familiarName, type Reference } from '../../oci/reference.ts';
import type { VolumeBackend, VolumeView } from '../../volumes/volume-backend.ts';
import type { NewVolume } from '../../volumes/volumes.ts';
import type { DoctorReport } from '../../wire/doctor.ts';
import type { RegistryBackend } from '../registry-backend.ts';
import type { Backends } from '../server-options.ts';
import type { EventRequest, SystemInfo } from '../system-backend.ts';
import { FakeExecs } from './fake-execs.ts';
import { containerView, imageView, networkInfos, systemInfo } from './fixtures.ts';

/** What a fake container's process does with its client. */
export type FakeProgram = (client: AttachClient, request: AttachRequest) => Promise<number>;

interface FakeContainer {
  view: ContainerView;
  exited: PromiseWithResolvers<WaitResult>;
  removed: PromiseWithResolvers<WaitResult>;
  started: PromiseWithResolvers<void>;
}

/** An engine in memory whose containers run functions, keyed by the first word of their command. */
export class FakeEngine implements Backends {
  readonly calls: [name: string, ...args: unknown[]][] = [];
  readonly programs = new Map<string, FakeProgram>();
  readonly all = new Map<string, FakeContainer>();
  readonly imageViews: ImageView[] = [imageView()];
  readonly volumeViews: VolumeView[] = [];
  logLines: () => AsyncIterable<LogLine> = async function* () {};
  pullWith: (
    request: PullRequest,
    progress: (line: PullProgress) => void,
    signal: AbortSignal,
  ) => Promise<void> = async () => undefined;
  eventSource: (request: EventRequest, signal: AbortSignal) => AsyncIterable<EngineEvent> =
    async function* () {};
  info: SystemInfo = systemInfo();
  #nextId = 1;

  readonly cachePrunes: BuildCachePrune[] = [];

  readonly builder: BuildBackend = {
    build: () => Promise.reject(new EngineError('not-implemented', 'nothing is built here')),
    cache: async () => [],
    pruneCache: async (asked) => {
      this.cachePrunes.push(asked);
      return { deleted: [], reclaimedBytes: 0 };
    },
    cachePolicies: async () => [],
    receive: () => Promise.reject(new EngineError('not-implemented', 'nothing is built here')),
    read: () => Promise.reject(new EngineError('not-implemented', 'nothing is built here')),
    localProof: () => Promise.reject(new EngineError('not-implemented', 'nothing is built here')),
  };

  readonly buildkit: BuildkitBackend = {
    build: async () => ({}),
    acceptCalls: (socket) => void socket.destroy(),
    acceptSession: async (socket) => void socket.destroy(),
  };
  readonly execs = new FakeExecs();
  readonly lifelines: LifelineBackend = { hold: () => undefined, guard: (_id, make) => make() };

  readonly containers: ContainerBackend = {
    create: async (request) => this.#create(request),
    start: async (name) => this.#start(name),
    stop: async (name, options) => {
      this.calls.push(['stop', name, options]);
      this.#exit(this.#find(name), 143);
    },
    restart: async (name, options) => {
      this.calls.push(['restart', name, options]);
      this.#find(name);
    },
    kill: async (name, signal) => {
      this.calls.push(['kill', name, signal]);
      const found = this.#find(name);
      if (found.view.state.status !== 'running')
        throw new EngineError('conflict', `container ${found.view.id} is not running`);
      this.#exit(found, 137);
    },
    update: async (name, change) => {
      this.calls.push(['update', name, change]);
      this.#find(name);
      return [];
    },
    pause: async (name) => this.#setStatus(name, 'paused'),
    unpause: async (name) => this.#setStatus(name, 'running'),
    rename: async (name, newName) => {
      this.#find(name).view.name = newName;
    },
    unlink: async (name, alias) => void this.calls.push(['unlink', name, alias]),
    remove: async (name, options) => {
      this.calls.push(['remove', name, options]);
      const { view } = this.#find(name);
      if (view.state.status === 'running' && !options.force)
        throw new EngineError(
          'conflict',
          `cannot remove container ${JSON.stringify(name)}: container is running: stop the container before removing or force remove`,
        );
      this.all.delete(view.id);
    },
    resize: async (name, size) => {
      this.calls.push(['resize', this.#find(name).view.name, size]);
    },
    inspect: async (name) => this.#find(name).view,
    size: async (name) => {
      this.#find(name);
      return { writableBytes: 12, rootfsBytes: 1_982_312 };
    },
    list: async (request) => this.#list(request),
    attach: async (name, request, connect) => {
      const found = this.#find(name);
      const client = connect({ tty: found.view.config.tty });
      await this.#run(found, client, request);
    },
    logs: async (name, request: LogRequest) => {
      this.calls.push(['logs', name, request]);
      return { tty: this.#find(name).view.config.tty, attributes: '', batches: onePerBatch(this.logLines()) };
    },
    wait: async (name, condition: WaitCondition) => {
      this.calls.push(['wait', name, condition]);
      const { exited, removed } = this.#find(name);
      return { result: condition === 'removed' ? removed.promise : exited.promise };
    },
    top: async (name, psArguments) => {
      this.calls.push(['top', name, psArguments]);
      this.#find(name);
      return { titles: ['PID', 'CMD'], processes: [['1', 'sh']] };
    },
    prune: async (isWanted) => {
      const stopped = [...this.all.values()].filter(
        ({ view }) => view.state.status !== 'running' && isWanted(view),
      );
      for (const { view } of stopped) this.all.delete(view.id);
      return { deleted: stopped.map(({ view }) => view.id), reclaimedBytes: 0 };
    },
    export: async (name) => {
      this.calls.push(['export', name]);
      this.#find(name);
      return new Blob(['archive']).stream();
    },
    statsOnce: async (name) => {
      const { id, name: shown } = this.#find(name).view;
      return { id, name: shown, current: undefined, previous: undefined };
    },
    followStats: (name) => {
      const { id, name: shown } = this.#find(name).view;
      return (async function* () {
        yield { id, name: shown, current: undefined, previous: undefined };
      })();
    },
    statPath: async (name, path) => {
      this.#find(name);
      return pathStat(path);
    },
    readPath: async (name, path) => {
      this.calls.push(['readPath', name, path]);
      this.#find(name);
      return { stat: pathStat(path), tar: new Blob(['archive']).stream() };
    },
    writePath: async (name, { archive, ...request }) => {
      this.calls.push([
        'writePath',
        name,
        { ...request, bytes: (await new Response(archive).bytes()).length },
      ]);
      this.#find(name);
    },
    matchPaths: async (name, pattern) => {
      this.calls.push(['matchPaths', name, pattern]);
      this.#find(name);
      return ['/a', '/b'];
    },
    changes: async (name) => {
      this.#find(name);
      return [
        { path: '/etc', kind: 'modified' },
        { path: '/etc/x', kind: 'added' },
        { path: '/y', kind: 'deleted' },
      ];
    },
    commit: async (name, request) => {
      this.calls.push(['commit', name, request]);
      this.#find(name);
      return parseDigest(`sha256:${'2'.repeat(64)}`);
    },
    counts: () => ({ running: 0, paused: 0, stopped: 0 }),
  };

  readonly images: ImageBackend = {
    pull: async (request, { signal, progress }) => {
      this.calls.push(['pull', request]);
      await this.pullWith(request, progress, signal);
    },
    push: async (request, { progress }) => {
      this.calls.push(['push', request]);
      progress({ status: 'The push refers to repository [docker.io/library/app]' });
      progress({ aux: { Tag: 'latest' } });
    },
    save: async (request) => {
      this.calls.push(['save', request]);
      return (async function* () {
        yield new TextEncoder().encode('archive');
      })();
    },
    load: async (source, { progress, platforms, quiet }) => {
      let bytes = 0;
      for await (const chunk of source) bytes += chunk.length;
      this.calls.push(['load', bytes, { platforms, quiet }]);
      progress({ stream: 'Loaded image: app:latest\n' });
    },
    commit: async () => parseDigest(`sha256:${'2'.repeat(64)}`),
    openUrl: async (url) => {
      this.calls.push(['open', url]);
      return { url: `http://${url}`, size: 7, stream: new Blob(['archive']).stream() };
    },
    importTar: async (source, options) => {
      let bytes = 0;
      for await (const chunk of source) bytes += chunk.length;
      this.calls.push(['import', bytes, options]);
      return parseDigest(`sha256:${'1'.repeat(64)}`);
    },
    get: async (name) => this.#image(name),
    list: async (request) => {
      this.calls.push(['images', request]);
      return this.imageViews;
    },
    history: async (name) => {
      const view = this.#image(name);
      return [
        {
          id: view.id,
          created: view.created,
          createdBy: 'CMD ["sh"]',
          author: '',
          comment: '',
          emptyLayer: true,
          size: 0,
          tags: view.repoTags,
        },
        {
          id: undefined,
          created: view.created,
          createdBy: 'ADD rootfs /',
          author: '',
          comment: 'x',
          emptyLayer: false,
          size: 5,
          tags: [],
        },
      ];
    },
    layers: async (name, { withFiles }) => {
      this.calls.push(['layers', this.#image(name).id, withFiles]);
      return ['{"Id":', '"x"}'].map((piece) => new TextEncoder().encode(piece));
    },
    diff: async (name, { to }) => {
      this.calls.push(['diff', this.#image(name).id, to]);
      return [new TextEncoder().encode('{"Changes":[]}')];
    },
    tag: async (name, target: Reference) => {
      this.#image(name).repoTags.push(familiarName(target));
    },
    remove: async (name, options) => {
      this.calls.push(['rmi', name, options]);
      const view = this.#image(name);
      return [{ untagged: name }, { deleted: view.id }];
    },
    manifests: async () => [],
    used: () => undefined,
    prune: async (options) => {
      this.calls.push(['image prune', options]);
      return { deleted: [], reclaimedBytes: 0 };
    },
    count: () => this.imageViews.length,
  };

  readonly registry: RegistryBackend = {
    search: async (term, request) => {
      this.calls.push(['search', term, request]);
      return [{ name: 'busybox', description: 'small', starCount: 3, isOfficial: true }];
    },
    inspect: async (reference) => {
      this.calls.push(['inspect', familiarName(reference)]);
      const digest = parseDigest(`sha256:${'3'.repeat(64)}`);
      return {
        descriptor: { mediaType: 'application/vnd.oci.image.index.v1+json', digest, size: 7 },
        platforms: [{ os: 'linux', architecture: 'arm64', variant: 'v8' }],
      };
    },
    manifest: async () => {
      throw new EngineError('not-found', 'manifest unknown');
    },
    putManifest: async (reference, manifest) => {
      this.calls.push(['put manifest', familiarName(reference), manifest.mediaType]);
      return parseDigest(`sha256:${'3'.repeat(64)}`);
    },
    tags: async () => ['1', '2', '3'],
    copy: async ({ from, to, platform }, { credentials, tlsVerify, progress }) => {
      this.calls.push(['copy', familiarName(from), familiarName(to), platform, credentials, tlsVerify]);
      progress({ id: '3'.repeat(12), status: 'Pushed' });
      return { digest: parseDigest(`sha256:${'3'.repeat(64)}`), size: 7 };
    },
  };

  members: NetworkMember[] = [];

  readonly networks: NetworkBackend = {
    list: async () => networkInfos().map((network) => ({ ...network, members: this.members })),
    get: async (name) => {
      const network = networkInfos().find((one) => one.name === name || one.id === name);
      return network === undefined ? undefined : { ...network, members: this.members };
    },
    create: async (request) => {
      this.calls.push(['network create', request]);
      const [bridge] = networkInfos();
      if (bridge === undefined) throw new EngineError('internal', 'There is no bridge');
      return { ...bridge, id: '4'.repeat(64), name: request.name };
    },
    remove: async (name) => void this.calls.push(['network rm', name]),
    exposure: async () => [],
    prune: async () => ['left'],
    connect: async (...call) => void this.calls.push(['network connect', ...call]),
    disconnect: async (...call) => void this.calls.push(['network disconnect', ...call]),
  };

  readonly volumes: VolumeBackend = {
    create: async (wanted) => this.#makeVolume('volume create', wanted),
    import: async (wanted, archive) => {
      const bytes = await new Response(archive).text();
      return this.#makeVolume(`volume import of ${bytes}`, wanted);
    },
    clone: async (source, wanted) => this.#makeVolume(`volume clone of ${source}`, wanted),
    export: async (name) => new Blob([`content of ${name}`]).stream(),
    list: async () => this.volumeViews,
    get: async (name) => {
      const found = this.volumeViews.find((volume) => volume.name === name);
      if (found === undefined) throw new EngineError('not-found', `get ${name}: no such volume`);
      return found;
    },
    size: async () => 7,
    remove: async (name, options) => void this.calls.push(['volume remove', name, options]),
    prune: async (isWanted) => ({
      deleted: this.volumeViews.filter(isWanted).map(({ name }) => name),
      reclaimedBytes: 5,
    }),
  };

  readonly system = {
    doctor: async (): Promise<DoctorReport> => ({
      Version: 1,
      EngineVersion: '0.1.0',
      Running: true,
      State: 'ok',
      OperatingSystem: 'Debian',
      KernelVersion: '6.12',
      Architecture: 'x86_64',
      Checks: [],
    }),
    stopContainers: async () => void this.calls.push(['stop containers']),
    diskUsage: async () => ({
      owners: new Map([
        ['images', 2000],
        ['containers', 30],
        ['engine', 4],
      ]),
    }),
    info: async () => this.info,
    events: async (request: EventRequest, { signal }: { signal: AbortSignal }) => {
      this.calls.push(['events', request]);
      return this.eventSource(request, signal);
    },
    authenticate: async (credentials: unknown) => {
      this.calls.push(['auth', credentials]);
      return { status: 'Login Succeeded', identityToken: '' };
    },
  };

  /** A container that exists already. */
  add(change: (view: ContainerView) => void = () => undefined): ContainerView {
    const view = containerView((this.#nextId++).toString(16).padStart(64, 'c'));
    change(view);
    this.all.set(view.id, {
      view,
      exited: Promise.withResolvers(),
      removed: Promise.withResolvers(),
      started: Promise.withResolvers(),
    });
    return view;
  }

  #makeVolume(call: string, wanted: NewVolume): VolumeView {
    this.calls.push([call, wanted]);
    const { name = 'cc'.repeat(32), labels, options, owner, mode } = wanted;
    const view: VolumeView = {
      name,
      path: `/v/${name}/_data`,
      createdNano: 1_795_649_557_123_456_789n,
      anonymous: wanted.name === undefined,
      labels,
      options,
      owner,
      mode,
      users: [],
    };
    this.volumeViews.push(view);
    return view;
  }

  #create(request: CreateRequest): { id: string; warnings: string[] } {
    this.calls.push(['create', request]);
    if (request.config.image !== 'busybox')
      throw new EngineError('not-found', `No such image: ${request.config.image}:latest`);
    const view = this.add((made) => {
      made.name = request.name ?? `fake_${made.id.slice(-4)}`;
      made.config = { ...request.config, labels: request.config.labels };
      made.host = request.host;
      const [path = 'sh', ...args] = request.config.cmd ?? ['sh'];
      Object.assign(made, { path, args });
      made.state.status = 'created';
    });
    return { id: view.id, warnings: [] };
  }

  #start(name: string): void {
    const found = this.#find(name);
    if (found.view.state.status === 'running') throw new EngineError('not-modified', 'it runs');
    found.view.state.status = 'running';
    found.started.resolve();
  }

  async #run(found: FakeContainer, client: AttachClient, request: AttachRequest): Promise<void> {
    await found.started.promise;
    const program = this.programs.get(found.view.path) ?? (async () => 0);
    this.#exit(found, await program(client, request));
  }

  #exit(found: FakeContainer, exitCode: number): void {
    found.view.state.status = 'exited';
    found.view.state.exitCode = exitCode;
    found.exited.resolve({ exitCode, error: undefined });
    found.removed.resolve({ exitCode, error: undefined });
    if (found.view.host.autoRemove) this.all.delete(found.view.id);
  }

  #setStatus(name: string, status: ContainerStatus): void {
    this.#find(name).view.state.status = status;
  }

  #list(request: ListRequest): ContainerView[] {
    this.calls.push(['list', request]);
    const wanted = request.filters.get('status');
    return [...this.all.values()]
      .map(({ view }) => view)
      .filter(({ state }) => request.all || state.status === 'running')
      .filter(({ state }) => wanted === undefined || wanted.includes(state.status));
  }

  #find(name: string): FakeContainer {
    for (const container of this.all.values())
      if (container.view.id.startsWith(name) || container.view.name === name) return container;
    throw new EngineError('not-found', `No such container: ${name}`);
  }

  #image(name: string): ImageView {
    const found = this.imageViews.find(
      ({ id, repoTags }) => id === name || repoTags.includes(name) || repoTags.includes(`${name}:latest`),
    );
    if (found === undefined) throw new EngineError('not-found', `No such image: ${name}:latest`);
    return found;
  }
}

async function* onePerBatch(lines: AsyncIterable<LogLine>): AsyncGenerator<LogLine[]> {
  for await (const line of lines) yield [line];
}

function pathStat(path: string): PathStat {
  if (path.includes('nope'))
    throw new EngineError('not-found', `Could not find the file ${path} in container x`);
  const times = { mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 500_000_000 };
  return { name: 'd', sizeBytes: 4096, type: 'directory', mode: 0o1777, ...times, linkTarget: '' };
}
