import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalContentStore } from '../../../src/content/local-content-store.ts';
import { type Logger, silentLogger } from '../../../src/errors/logger.ts';
import type { EngineEvent } from '../../../src/events/event.ts';
import { threadedReceiver } from '../../../src/images/archives/archive-receiver.ts';
import { receiveArchive } from '../../../src/images/archives/receive-archive.ts';
import { explorePool } from '../../../src/images/explore/explore-runner.ts';
import type { PullProgress } from '../../../src/images/image-backend.ts';
import { ImageService } from '../../../src/images/image-service.ts';
import { runLayerJob } from '../../../src/images/layers/layer-job.ts';
import { type LayerRunner, layerPool } from '../../../src/images/layers/layer-runner.ts';
import { imageMigrations, imageTransferTables } from '../../../src/images/store/image-schema.ts';
import type { GcRoots } from '../../../src/images/store/lease-store.ts';
import type { RegistryAccess } from '../../../src/images/transfer/pull-image.ts';
import { runUploadJob } from '../../../src/images/transfer/upload-job.ts';
import { type UploadRunner, uploadPool } from '../../../src/images/transfer/upload-runner.ts';
import { parsePlatform } from '../../../src/oci/platform.ts';
import { parseReference, withDefaultTag } from '../../../src/oci/reference.ts';
import { CatalogClient } from '../../../src/registry/client/catalog-client.ts';
import { DistributionClient } from '../../../src/registry/client/distribution-client.ts';
import { DistributionPushClient } from '../../../src/registry/client/distribution-push-client.ts';
import type { RegistryConfig } from '../../../src/registry/client/registry-client.ts';
import { SqliteStateDb } from '../../../src/storage/sqlite-state-db.ts';
import { FakeRegistry } from './fake-registry.ts';
import { FakeSnapshotter } from './fake-snapshotter.ts';
import { HttpRegistry } from './http-registry.ts';

export interface BenchOptions {
  root?: string;
  /** Layers by worker threads and HTTP, through the real sink, instead of in this thread. */
  workers?: boolean;
  /** The same, from this registry (as a mirror of docker.io) instead of the fake one. */
  mirror?: string;
  /** A second one, asked after it. */
  secondMirror?: string;
  logger?: Logger;
}

export const plainRegistryConfig: RegistryConfig = {
  mirrors: [],
  insecure: [],
  registries: {},
  certsDirectories: [],
  userAgent: 'test',
  proxy: {},
};

/** An ImageService on real files and a real database, with everything around it fake and in this thread. */
export class ImageBench {
  readonly root: string;
  readonly registry = new FakeRegistry();
  readonly snapshotter: FakeSnapshotter;
  readonly events: Omit<EngineEvent, 'timeNano'>[] = [];
  users = new Map<string, { id: string; running: boolean }[]>();
  containerRoots: GcRoots = { blobs: [], chains: [] };
  bootId = 'boot-1';
  readonly #http: HttpRegistry | undefined;
  /** Base URL of the mirror that workers pull from; undefined: all is in this thread. */
  readonly #mirror: string | undefined;
  readonly #secondMirror: string | undefined;
  readonly #logger: Logger;
  #open: { service: ImageService; db: SqliteStateDb; content: LocalContentStore } | undefined;

  private constructor(options: BenchOptions) {
    this.root = options.root ?? mkdtempSync(join(tmpdir(), 'sampan-images-'));
    this.#http = options.workers === true ? new HttpRegistry(this.registry) : undefined;
    this.#mirror = options.mirror ?? this.#http?.url;
    this.#secondMirror = options.secondMirror;
    this.#logger = options.logger ?? silentLogger;
    this.snapshotter =
      this.#mirror === undefined
        ? new FakeSnapshotter()
        : new FakeSnapshotter({ driver: 'erofs', root: this.root });
  }

  static async start(options: BenchOptions = {}): Promise<ImageBench> {
    const bench = new ImageBench(options);
    await bench.restart();
    return bench;
  }

  get images(): ImageService {
    return this.#opened().service;
  }

  get content(): LocalContentStore {
    return this.#opened().content;
  }

  get db(): SqliteStateDb {
    return this.#opened().db;
  }

  /** A new daemon over the same files. */
  async restart(): Promise<void> {
    await this.#close();
    const content = await LocalContentStore.open(join(this.root, 'content'));
    const db = await SqliteStateDb.open(join(this.root, 'state.db'), [
      { version: 1, name: 'images', statements: [...imageMigrations, ...imageTransferTables] },
    ]);
    const service = await ImageService.open({
      db,
      content,
      snapshotter: this.snapshotter,
      registry: this.#access(),
      runner: this.#mirror === undefined ? this.#runner(content) : layerPool(3, this.#logger),
      uploads: this.#mirror === undefined ? this.#uploads(content) : uploadPool(2),
      receiver:
        this.#mirror === undefined
          ? (source, options) => receiveArchive(source, { content, ...options })
          : threadedReceiver(content.root),
      explorer: explorePool(),
      usage: {
        usedBy: (id) => this.users.get(id) ?? [],
        manifestUsedBy: (digest) => this.users.get(digest) ?? [],
        roots: () => this.containerRoots,
      },
      events: { publish: (event) => void this.events.push(event) },
      logger: silentLogger,
      bootId: this.bootId,
    });
    this.#open = { service, db, content };
  }

  /** Pull and give back the lines. */
  async pull(
    name: string,
    options: { signal?: AbortSignal; platform?: string; lines?: PullProgress[] } = {},
  ): Promise<PullProgress[]> {
    const lines = options.lines ?? [];
    await this.images.pull(
      {
        reference: withDefaultTag(parseReference(name)),
        platform: options.platform === undefined ? undefined : parsePlatform(options.platform),
        credentials: undefined,
      },
      {
        signal: options.signal ?? new AbortController().signal,
        progress: (line) => void lines.push(line),
      },
    );
    return lines;
  }

  /** What lies in the content store: hex names of blobs, count of ingests. */
  stored(): { blobs: string[]; ingests: number } {
    const list = (path: string): string[] => readdirSync(join(this.root, 'content', path));
    return {
      blobs: list('blobs')
        .flatMap((algorithm) => list(`blobs/${algorithm}`))
        .sort(),
      ingests: list('ingest').length,
    };
  }

  async stop(): Promise<void> {
    await this.#close();
    await this.#http?.stop();
    rmSync(this.root, { recursive: true, force: true });
  }

  #opened(): { service: ImageService; db: SqliteStateDb; content: LocalContentStore } {
    if (this.#open === undefined) throw new Error('not started');
    return this.#open;
  }

  async #close(): Promise<void> {
    await this.#open?.service.close();
    await this.#open?.db.close();
    this.#open = undefined;
  }

  #access(): RegistryAccess {
    const config = {
      ...plainRegistryConfig,
      mirrors: [this.#mirror, this.#secondMirror].filter((url) => url !== undefined),
    };
    const pushClient = new DistributionPushClient(config);
    const client =
      this.#mirror === undefined ? this.registry : new DistributionClient(config, { logger: this.#logger });
    const catalog = new CatalogClient(config);
    return {
      client: () => client,
      pushClient: () => pushClient,
      catalog: () => catalog,
      config: () => config,
    };
  }

  #uploads(content: LocalContentStore): UploadRunner {
    return {
      jobs: 2,
      run: (job, { signal, progress }) =>
        runUploadJob(job, {
          content,
          registry: new DistributionPushClient(plainRegistryConfig),
          signal,
          progress,
        }),
      close: async () => undefined,
    };
  }

  #runner(content: LocalContentStore): LayerRunner {
    return {
      prepare: () => undefined,
      run: (job, { signal, progress }) =>
        runLayerJob(job, {
          content,
          registry: this.registry,
          openSink: this.snapshotter.openSink,
          signal,
          progress,
        }),
      close: async () => undefined,
    };
  }
}
