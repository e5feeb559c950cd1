import type { LocalContentStore } from '../content/local-content-store.ts';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { EventSink } from '../events/event.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { canonicalName, type Reference, withDefaultTag } from '../oci/reference.ts';
import type { Snapshotter } from '../snapshots/snapshotter.ts';
import type { StateDb } from '../storage/state-db.ts';
import type { Filters } from '../wire/filters.ts';
import type { ArchiveReceiver } from './archives/archive-receiver.ts';
import { type LoadOptions, loadImages } from './archives/load-images.ts';
import { type SaveRequest, saveImages } from './archives/save-images.ts';
import { compareImages, exploreLayers } from './explore/explore-image.ts';
import type { ExploreRunner } from './explore/explore-runner.ts';
import type { DeleteResult, HistoryView, ImageBackend, ImageView, PullRequest } from './image-backend.ts';
import { ImageEvents } from './image-events.ts';
import { createdMs, imageFilter, referencesMatching } from './image-filters.ts';
import { viewHistory, viewImage } from './image-view.ts';
import { LayerFetches } from './layers/layer-fetches.ts';
import type { LayerRunner } from './layers/layer-runner.ts';
import { type CommitRequest, commitImage } from './making/commit-image.ts';
import { type ImportOptions, importImage } from './making/import-image.ts';
import { type ImportSource, openImportSource } from './making/import-source.ts';
import { type ManifestView, viewManifests } from './manifest-views.ts';
import { planPrune, pruneImages } from './prune-images.ts';
import { deleteImage, labelsOf, type RemovePorts, removeImage, removePlatforms } from './remove-image.ts';
import { choosePlatform, resolveImage } from './resolve-image.ts';
import { type GcTotals, ImageGc, rootsOf } from './store/gc.ts';
import { ImageStore } from './store/image-store.ts';
import type { ImageUsage } from './store/image-usage.ts';
import { type GcRoots, type Lease, LeaseStore } from './store/lease-store.ts';
import {
  INTERRUPTED_GRACE_MS,
  type PullOptions,
  type PullPorts,
  pullImage,
  type RegistryAccess,
  wantedNames,
} from './transfer/pull-image.ts';
import { type PushOptions, type PushRequest, pushImage, pushImageAs } from './transfer/push-image.ts';
import type { UploadRunner } from './transfer/upload-runner.ts';

/** Containers go in crowds: one collection is enough for all of them. */
const ORPHANS_DELAY_MS = 500;

export interface ImageServiceOptions {
  db: StateDb;
  content: LocalContentStore;
  snapshotter: Snapshotter;
  registry: RegistryAccess;
  runner: LayerRunner;
  uploads: UploadRunner;
  signaturePolicy?: PullPorts['signaturePolicy'];
  receiver: ArchiveReceiver;
  explorer: ExploreRunner;
  usage: ImageUsage;
  events: EventSink;
  logger: Logger;
  /** `/proc/sys/kernel/random/boot_id`. */
  bootId: string;
}

/** What the images are kept with. */
export interface ImageRooms {
  store: ImageStore;
  leases: LeaseStore;
  gc: ImageGc;
  registry: RegistryAccess;
  uploads: UploadRunner;
  content: LocalContentStore;
  signaturePolicy: PullPorts['signaturePolicy'];
  fetches: LayerFetches;
}

/** Images: pulled, made, named, listed, removed. */
export class ImageService implements ImageBackend {
  readonly #options: ImageServiceOptions;
  readonly #store: ImageStore;
  readonly #leases: LeaseStore;
  readonly #fetches: LayerFetches;
  readonly #gc: ImageGc;
  readonly #events: ImageEvents;
  #collection: NodeJS.Timeout | undefined;
  #orphans: NodeJS.Timeout | undefined;
  #pruning = false;

  private constructor(options: ImageServiceOptions, store: ImageStore, leases: LeaseStore) {
    const { content, snapshotter, usage, logger } = options;
    this.#options = options;
    this.#store = store;
    this.#leases = leases;
    this.#fetches = new LayerFetches(options);
    this.#gc = new ImageGc({ content, snapshotter, store, leases, usage, logger });
    this.#events = new ImageEvents(options.events);
  }

  /** Load what the database knows. Call `collectGarbage` once containers are known too: it removes what a crash left. */
  static async open(options: ImageServiceOptions): Promise<ImageService> {
    const store = await ImageStore.open(options.db, options.content, options.logger);
    const leases = await LeaseStore.open(options.db, options.bootId, INTERRUPTED_GRACE_MS);
    const service = new ImageService(options, store, leases);
    if (leases.holdsInterrupted) service.#collectAfterGrace();
    return service;
  }

  async close(): Promise<void> {
    clearTimeout(this.#collection);
    clearTimeout(this.#orphans);
    const { runner, uploads, explorer } = this.#options;
    await Promise.all([runner.close(), uploads.close(), explorer.close()]);
    await this.#gc.settled();
    await this.#store.close();
  }

  /** Wait until what removed images left is off the disk. */
  async settled(): Promise<void> {
    await this.#gc.settled();
  }

  /** Remove those of these blobs that nothing holds. Resolves to the bytes that were freed. */
  async collectBlobs(blobs: readonly Digest[]): Promise<number> {
    return await this.#gc.collect({ blobs, chains: [] });
  }

  async pull(request: PullRequest, options: PullOptions): Promise<void> {
    const { registry, content, signaturePolicy } = this.#options;
    const ports = { registry, content, signaturePolicy, fetches: this.#fetches, ...this.#own() };
    this.#options.runner.prepare();
    for (const wanted of await wantedNames(request, ports, options.signal)) {
      const reference = await pullImage({ ...request, reference: wanted }, ports, options);
      const { image } = resolveImage(this.#store, canonicalName(reference));
      this.#store.touch(image.id);
      this.#events.pulled(reference, labelsOf(image));
    }
  }

  async push(request: PushRequest, options: PushOptions): Promise<void> {
    const { registry, content, uploads, usage } = this.#options;
    for (const reference of await pushImage(
      request,
      { registry, content, uploads, usage, ...this.#own() },
      options,
    )) {
      const { image } = resolveImage(this.#store, canonicalName(reference));
      this.#store.touch(image.id);
      this.#events.pushed(reference, labelsOf(image));
    }
  }

  /** Send an image under a name that it hasn't got here. @throws as `push`. */
  async pushAs(id: Digest, request: PushRequest, options: PushOptions): Promise<void> {
    const { registry, content, uploads, usage } = this.#options;
    const image = this.#store.image(id);
    if (image === undefined) throw new EngineError('not-found', `No such image: ${id}`);
    await pushImageAs(image, request, { registry, content, uploads, usage, ...this.#own() }, options);
  }

  async save(request: SaveRequest): Promise<AsyncIterable<Uint8Array>> {
    const { content } = this.#options;
    return await saveImages(request, { content, events: this.#events, ...this.#own() });
  }

  async load(source: ReadableStream<Uint8Array>, options: LoadOptions): Promise<void> {
    const { registry, content, receiver } = this.#options;
    const ports = { registry, content, receiver, fetches: this.#fetches, events: this.#events };
    await loadImages(source, options, { ...ports, ...this.#own() });
  }

  async openUrl(source: string, { signal }: { signal: AbortSignal }): Promise<ImportSource> {
    const { proxy } = this.#options.registry.config();
    return await openImportSource(source, { signal, proxy });
  }

  async importTar(source: ReadableStream<Uint8Array>, options: ImportOptions): Promise<Digest> {
    const id = await importImage(source, options, this.rooms());
    const image = this.#store.image(id);
    const labels = image === undefined ? {} : labelsOf(image);
    if (options.reference !== undefined) this.#events.tagged(id, withDefaultTag(options.reference), labels);
    this.#events.happened('import', id, labels);
    return id;
  }

  async commit(request: CommitRequest, options: { signal: AbortSignal }): Promise<Digest> {
    const { snapshotter } = this.#options;
    const id = await commitImage(request, { snapshotter, ...this.rooms() }, options.signal);
    const image = this.#store.image(id);
    const labels = image === undefined ? {} : labelsOf(image);
    this.#events.happened('create', id, labels);
    if (request.reference !== undefined) this.#events.tagged(id, withDefaultTag(request.reference), labels);
    return id;
  }

  used(id: Digest): void {
    this.#store.touch(id);
  }

  async get(name: string, options: { platform?: Platform | undefined } = {}): Promise<ImageView> {
    return this.#view(name, options.platform);
  }

  /**
   * As `get`, and what the image consists of stays until it is released, whoever removes the image meanwhile. Costs no disk: it is for what
   * ends with this daemon.
   */
  async hold(
    name: string,
    options: { platform?: Platform | undefined } = {},
  ): Promise<{ image: ImageView; release: () => void }> {
    // No wait between the look-up and the hold: what is in the store now is a root of any collection that is under way.
    const resolved = resolveImage(this.#store, name);
    const image = viewImage(this.#store, resolved.image, choosePlatform(resolved, options.platform, name));
    return { image, release: this.#leases.hold(rootsOf(resolved.image)) };
  }

  async list(request: { all: boolean; filters: Filters }): Promise<ImageView[]> {
    const patterns = request.filters.get('reference') ?? [];
    const views = this.#views(request.filters);
    if (patterns.length === 0) return views;
    return views.map((view) => {
      const shown = new Set(referencesMatching(view, patterns));
      const keep = (names: string[]): string[] => names.filter((name) => shown.has(name));
      return { ...view, repoTags: keep(view.repoTags), repoDigests: keep(view.repoDigests) };
    });
  }

  async history(name: string, options: { platform?: Platform | undefined } = {}): Promise<HistoryView[]> {
    return viewHistory(this.#view(name, options.platform));
  }

  async layers(
    name: string,
    options: { platform: Platform | undefined; withFiles: boolean; signal: AbortSignal },
  ): Promise<Uint8Array[]> {
    const held = await this.hold(name, options);
    try {
      return await exploreLayers(held.image, options, this.#options);
    } finally {
      held.release();
    }
  }

  async diff(
    name: string,
    options: { to: string; platform: Platform | undefined; signal: AbortSignal },
  ): Promise<Uint8Array[]> {
    const from = await this.hold(name, options);
    try {
      const to = await this.hold(options.to, options);
      try {
        return await compareImages({ from: from.image, to: to.image }, options, this.#options);
      } finally {
        to.release();
      }
    } finally {
      from.release();
    }
  }

  async tag(name: string, target: Reference): Promise<void> {
    if (target.digest !== undefined)
      throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
    const { image } = resolveImage(this.#store, name);
    const reference = withDefaultTag(target);
    await this.#store.setTag(canonicalName(reference), image.id);
    this.#events.tagged(image.id, reference, labelsOf(image));
  }

  async manifests(name: string): Promise<ManifestView[]> {
    const { image } = resolveImage(this.#store, name);
    const { content, usage } = this.#options;
    return await viewManifests(image, { content, usage, store: this.#store });
  }

  /** Take an image away that nothing names and no container stands on; any other stays. */
  async discard(id: Digest): Promise<void> {
    const image = this.#store.image(id);
    if (image === undefined || this.#store.tags(id).length > 0) return;
    if (this.#options.usage.usedBy(id).length > 0) return;
    await this.#store.removeImage(id);
    this.#gc.collectLater(rootsOf(image));
  }

  async remove(
    name: string,
    options: { force: boolean; platforms?: readonly Platform[] },
  ): Promise<DeleteResult[]> {
    const { platforms = [], force } = options;
    if (platforms.length > 0 && !force)
      throw new EngineError(
        'invalid',
        'Content will be removed from all images referencing this variant. Use —-force to force delete.',
      );
    if (platforms.length > 0) return await removePlatforms(name, platforms, this.#removePorts());
    return await removeImage(name, options, this.#removePorts());
  }

  async prune(options: {
    danglingOnly: boolean;
    filters: Filters;
  }): Promise<{ deleted: DeleteResult[]; reclaimedBytes: number }> {
    if (this.#pruning) throw new EngineError('conflict', 'a prune operation is already running');
    const plan = planPrune(options);
    const ports = this.#removePorts();
    this.#pruning = true;
    try {
      const { deleted, reclaimedBytes } = await pruneImages(plan, this.#views(plan.filters), {
        ...ports,
        remove: (image) => deleteImage(image, this.#store.tags(image.id), ports),
      });
      this.#events.pruned(reclaimedBytes);
      return { deleted, reclaimedBytes };
    } finally {
      this.#pruning = false;
    }
  }

  count(): number {
    return this.#store.images().length;
  }

  /** Remove every blob, layer and old ingest that no image, lease or container refers to. Resolves to the bytes freed. */
  async collectGarbage(): Promise<number> {
    return await this.#gc.collectAll();
  }

  /** What collections have done since this process' start. */
  get garbage(): Readonly<GcTotals> {
    return this.#gc.totals;
  }

  /**
   * A container that stood on image `id` is gone with its files. Where the image was removed before it, it was the last to hold the layers:
   * they go, once no other container has gone for a while.
   */
  containerGone(id: Digest): void {
    if (this.#store.image(id) !== undefined) return;
    clearTimeout(this.#orphans);
    this.#orphans = setTimeout(() => this.#collectQuietly(), ORPHANS_DELAY_MS);
    this.#orphans.unref();
  }

  /** What images are kept with, here and by the builder. */
  rooms(): ImageRooms {
    const { registry, uploads, content, signaturePolicy } = this.#options;
    return { ...this.#own(), registry, uploads, content, signaturePolicy, fetches: this.#fetches };
  }

  /** Remove those of these that nothing holds. Resolves to the bytes that were freed. */
  async collect(candidates: GcRoots): Promise<number> {
    return await this.#gc.collect(candidates);
  }

  /** Hold roots for work of another room (push, save, build) until the lease is released. */
  async lease(roots: GcRoots): Promise<Lease> {
    const lease = this.#leases.take();
    await lease.add(roots);
    return lease;
  }

  /** When what an earlier daemon was pulling has not been asked for again. */
  #collectAfterGrace(): void {
    this.#collection = setTimeout(() => this.#collectQuietly(), INTERRUPTED_GRACE_MS + 1000);
    this.#collection.unref();
  }

  #collectQuietly(): void {
    this.collectGarbage().catch((error: unknown) => {
      this.#options.logger.warn('cannot collect garbage', { reason: messageOf(error) });
    });
  }

  #own(): { store: ImageStore; leases: LeaseStore; gc: ImageGc } {
    return { store: this.#store, leases: this.#leases, gc: this.#gc };
  }

  #removePorts(): RemovePorts {
    return { store: this.#store, gc: this.#gc, usage: this.#options.usage, events: this.#events };
  }

  #view(name: string, platform?: Platform): ImageView {
    const resolved = resolveImage(this.#store, name);
    return viewImage(this.#store, resolved.image, choosePlatform(resolved, platform, name));
  }

  /** Newest first. */
  #views(filters: Filters): ImageView[] {
    const matches = imageFilter(filters, {
      createdOf: (name) => createdMs(this.#view(name)),
      nowMs: Date.now(),
    });
    return this.#store
      .images()
      .map((image) => {
        const resolved = { image, manifest: undefined, reference: undefined };
        return viewImage(this.#store, image, choosePlatform(resolved, undefined, image.id));
      })
      .filter(matches)
      .map((view) => ({ view, created: createdMs(view) }))
      .sort((a, b) => b.created - a.created)
      .map(({ view }) => view);
  }
}
