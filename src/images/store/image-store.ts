import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { DiffId, Digest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import type { StateDb, Statement } from '../../storage/state-db.ts';
import { nowNano } from '../../sys/clock.ts';
import {
  type ImageManifest,
  type ImageRecord,
  loadImageManifest,
  type StoredManifest,
} from './image-record.ts';
import { type ImageTag, TagIndex } from './tag-index.ts';

/** How one layer was received: its compressed blob, and the size of its tar. */
export interface LayerBlob {
  diffId: DiffId;
  blob: Digest;
  blobSize: number;
  tarSize: number;
}

/** What a finished pull, import, build or load adds, whole. `tags` are canonical names. */
export interface NewImage {
  image: StoredManifest;
  manifests: ImageManifest[];
  layers: LayerBlob[];
  tags: string[];
  /** Blobs that the image holds besides. */
  extras?: readonly Digest[];
  /** The repository that its blobs came from, `docker.io/library/busybox`. */
  repository?: string;
}

/** Uses wait so long to be written together. */
const USES_WRITTEN_MS = 30_000;
/** Files open at a time while images are loaded. */
const LOAD_AT_ONCE = 64;

interface ImageRow {
  image: Digest;
  image_type: string;
  image_size: number;
  digest: Digest;
  media_type: string;
  size: number;
}

/** Images, their tags and layer blobs: tables in `state.db`, a model of them in memory. Reads never wait. */
export class ImageStore {
  readonly #db: StateDb;
  readonly #images = new Map<Digest, ImageRecord>();
  readonly #tags = new TagIndex();
  readonly #tarSizes = new Map<DiffId, number>();
  readonly #usedMs = new Map<Digest, number>();
  /** Uses that aren't on disk yet. */
  readonly #unwritten = new Set<Digest>();
  #writing: NodeJS.Timeout | undefined;

  private constructor(db: StateDb) {
    this.#db = db;
  }

  /** An image whose content is damaged is left out, with a warning. */
  static async open(db: StateDb, content: ContentStore, logger: Logger): Promise<ImageStore> {
    const store = new ImageStore(db);
    await store.#loadLayers();
    await store.#loadImages(content, logger);
    await store.#loadExtras();
    await store.#loadTags();
    await store.#loadUses();
    return store;
  }

  images(): ImageRecord[] {
    return [...this.#images.values()];
  }

  image(id: Digest): ImageRecord | undefined {
    return this.#images.get(id);
  }

  tag(canonicalName: string): ImageTag | undefined {
    return this.#tags.get(canonicalName);
  }

  /** All tags, or one image's, in order of their names. */
  tags(image?: Digest): ImageTag[] {
    return image === undefined ? this.#tags.all() : this.#tags.of(image);
  }

  /** Bytes of a layer's tar; 0 for a layer that was never received. */
  tarSize(diffId: DiffId): number {
    return this.#tarSizes.get(diffId) ?? 0;
  }

  /** When an image was last pulled, made, loaded, named, sent or run; undefined for one that is not here. */
  lastUsedMs(id: Digest): number | undefined {
    return this.#usedMs.get(id);
  }

  /** Note a use, for a prune by age: soon enough on disk, and no reason to wait for one. */
  touch(id: Digest): void {
    if (!this.#images.has(id)) return;
    this.#usedMs.set(id, Date.now());
    this.#unwritten.add(id);
    const write = (): void => void this.#writeUses().catch(() => undefined);
    this.#writing ??= setTimeout(write, USES_WRITTEN_MS).unref();
  }

  /** What is noted is on disk when this resolves. */
  async close(): Promise<void> {
    await this.#writeUses();
  }

  /** Image, manifest, layers and tags in one transaction. */
  async add({ image, manifests, layers, tags, extras = [], repository }: NewImage): Promise<void> {
    for (const tag of tags) refuseAmbiguous(tag);
    const taggedNano = nowNano();
    await this.#db.transact([
      {
        sql: 'INSERT INTO images VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        params: [image.digest, image.mediaType, image.size],
      },
      ...manifests.map((manifest) => insertManifest(image.digest, manifest)),
      ...extras.map((blob) => insertExtra(image.digest, blob)),
      ...layers.map(insertLayer),
      ...(repository === undefined
        ? []
        : manifests.flatMap(layerDigests).map((blob) => insertSource(blob, repository))),
      ...tags.map((tag) => upsertTag(tag, image.digest, taggedNano)),
    ]);
    for (const manifest of manifests) this.#remember(image, manifest);
    this.#addExtras(image.digest, extras);
    for (const { diffId, tarSize } of layers) this.#tarSizes.set(diffId, tarSize);
    for (const tag of tags) this.#setTag(tag, image.digest, taggedNano);
    this.touch(image.digest);
  }

  async setTag(canonicalName: string, image: Digest): Promise<void> {
    refuseAmbiguous(canonicalName);
    const taggedNano = nowNano();
    await this.#db.transact([upsertTag(canonicalName, image, taggedNano)]);
    this.#setTag(canonicalName, image, taggedNano);
    this.touch(image);
  }

  async removeTags(names: string[]): Promise<void> {
    await this.#db.transact(names.map(deleteTag));
    for (const name of names) this.#tags.delete(name);
  }

  /** One platform of an image that has others. What only it referred to is the GC's. */
  async removeManifest(id: Digest, manifest: Digest): Promise<void> {
    await this.#db.transact([
      { sql: 'DELETE FROM image_manifests WHERE image = ? AND digest = ?', params: [id, manifest] },
    ]);
    const image = this.#images.get(id);
    if (image === undefined) return;
    const manifests = image.manifests.filter(({ digest }) => digest !== manifest);
    this.#images.set(id, { ...image, manifests });
  }

  /** The image and all its tags. What only it referred to is the GC's. */
  async removeImage(id: Digest): Promise<void> {
    await this.#db.transact([
      { sql: 'DELETE FROM image_tags WHERE image = ?', params: [id] },
      { sql: 'DELETE FROM images WHERE id = ?', params: [id] },
    ]);
    this.#forget(id);
  }

  /** One image in the place of another that nothing names any more: by what the other was known it is found as well. */
  async supersede(old: ImageRecord, by: Digest): Promise<void> {
    const known = [old.id, ...old.manifests.map(({ digest }) => digest), ...old.extras];
    await this.#db.transact([
      ...known.map((blob) => insertExtra(by, blob)),
      { sql: 'DELETE FROM image_tags WHERE image = ?', params: [old.id] },
      { sql: 'DELETE FROM images WHERE id = ?', params: [old.id] },
    ]);
    this.#addExtras(by, known);
    this.#forget(old.id);
  }

  /** Forget blobs that are about to go. */
  async forgetLayerBlobs(blobs: Iterable<Digest>): Promise<void> {
    const statements = [...blobs].flatMap((blob) => [
      { sql: 'DELETE FROM layer_blobs WHERE blob = ?', params: [blob] },
      { sql: 'DELETE FROM blob_sources WHERE blob = ?', params: [blob] },
    ]);
    if (statements.length > 0) await this.#db.transact(statements);
  }

  /** Repositories that have a blob: it came from there, or was pushed there. */
  async sourcesOf(blob: Digest): Promise<string[]> {
    const rows = await this.#db.query<{ repository: string }>(
      'SELECT repository FROM blob_sources WHERE blob = ? ORDER BY repository LIMIT 16',
      [blob],
    );
    return rows.map(({ repository }) => repository);
  }

  async addSources(blobs: readonly Digest[], repository: string): Promise<void> {
    if (blobs.length > 0) await this.#db.transact(blobs.map((blob) => insertSource(blob, repository)));
  }

  #forget(id: Digest): void {
    this.#tags.deleteOf(id);
    this.#images.delete(id);
    this.#usedMs.delete(id);
    this.#unwritten.delete(id);
  }

  #remember(image: StoredManifest, manifest: ImageManifest): void {
    const known = this.#images.get(image.digest);
    const others = known?.manifests.filter(({ digest }) => digest !== manifest.digest) ?? [];
    const extras = known?.extras ?? [];
    this.#images.set(image.digest, { ...image, id: image.digest, manifests: [...others, manifest], extras });
  }

  #addExtras(id: Digest, blobs: readonly Digest[]): void {
    const image = this.#images.get(id);
    if (image === undefined || blobs.length === 0) return;
    this.#images.set(id, { ...image, extras: [...new Set([...image.extras, ...blobs])] });
  }

  #setTag(name: string, image: Digest, taggedNano: bigint): void {
    this.#tags.set(name, { reference: parseReference(name), image, taggedNano });
  }

  async #loadLayers(): Promise<void> {
    const rows = await this.#db.query<{ diff_id: DiffId; tar_size: number }>(
      'SELECT diff_id, tar_size FROM layer_blobs',
    );
    for (const row of rows) this.#tarSizes.set(row.diff_id, Number(row.tar_size));
  }

  async #loadImages(content: ContentStore, logger: Logger): Promise<void> {
    const rows = await this.#db.query<ImageRow>(
      `SELECT i.id AS image, i.media_type AS image_type, i.size AS image_size, m.digest, m.media_type, m.size
       FROM images i JOIN image_manifests m ON m.image = i.id`,
    );
    for (let at = 0; at < rows.length; at += LOAD_AT_ONCE)
      await Promise.all(
        rows.slice(at, at + LOAD_AT_ONCE).map(async (row) => {
          const manifest = await this.#loadManifest(row, content, logger);
          const image = { digest: row.image, mediaType: row.image_type, size: Number(row.image_size) };
          if (manifest !== undefined) this.#remember(image, manifest);
        }),
      );
  }

  async #loadExtras(): Promise<void> {
    const rows = await this.#db.query<{ image: Digest; blob: Digest }>(
      'SELECT image, blob FROM image_extras',
    );
    for (const [image, own] of Map.groupBy(rows, (row) => row.image))
      this.#addExtras(
        image,
        own.map(({ blob }) => blob),
      );
  }

  async #loadManifest(
    row: ImageRow,
    content: ContentStore,
    logger: Logger,
  ): Promise<ImageManifest | undefined> {
    const { digest, media_type: mediaType } = row;
    try {
      return await loadImageManifest(content, { digest, mediaType, size: Number(row.size) });
    } catch (error) {
      // Left out means collected: only what is surely of no use.
      if (kindOf(error) !== 'not-found' && kindOf(error) !== 'invalid') throw error;
      logger.warn('image is damaged and left out', { image: row.image, reason: messageOf(error) });
      return undefined;
    }
  }

  async #writeUses(): Promise<void> {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    const ids = [...this.#unwritten].filter((id) => this.#images.has(id));
    this.#unwritten.clear();
    if (ids.length === 0) return;
    await this.#db.transact(
      ids.map((id) => ({
        sql: 'INSERT INTO image_uses SELECT id, ? FROM images WHERE id = ? ON CONFLICT (image) DO UPDATE SET used_ms = excluded.used_ms',
        params: [this.#usedMs.get(id) ?? Date.now(), id],
      })),
    );
  }

  /** An image of before uses were noted counts from when it was named. */
  async #loadUses(): Promise<void> {
    for (const { image, taggedNano } of this.#tags.all())
      this.#usedMs.set(image, Math.max(this.#usedMs.get(image) ?? 0, Number(taggedNano / 1_000_000n)));
    const rows = await this.#db.query<{ image: Digest; used_ms: number }>(
      'SELECT image, used_ms FROM image_uses',
    );
    for (const { image, used_ms: usedMs } of rows)
      this.#usedMs.set(image, Math.max(this.#usedMs.get(image) ?? 0, Number(usedMs)));
  }

  async #loadTags(): Promise<void> {
    const rows = await this.#db.query<{ reference: string; image: Digest; tagged_nano: bigint | number }>(
      'SELECT reference, image, tagged_nano FROM image_tags',
    );
    for (const row of rows)
      if (this.#images.has(row.image)) this.#setTag(row.reference, row.image, BigInt(row.tagged_nano));
  }
}

/** `sha256:abc` would be found by this name, and by the image whose ID begins so. @throws EngineError "invalid" in Docker's words. */
function refuseAmbiguous(canonicalName: string): void {
  if (/^docker\.io\/library\/sha256[:@]/.test(canonicalName))
    throw new EngineError('invalid', 'refusing to create an ambiguous tag using digest algorithm as name');
}

function insertManifest(image: Digest, { digest, mediaType, size }: ImageManifest): Statement {
  return {
    sql: 'INSERT INTO image_manifests VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    params: [image, digest, mediaType, size],
  };
}

function insertExtra(image: Digest, blob: Digest): Statement {
  return { sql: 'INSERT INTO image_extras VALUES (?, ?) ON CONFLICT DO NOTHING', params: [image, blob] };
}

function layerDigests({ manifest }: ImageManifest): Digest[] {
  return manifest.layers.map(({ digest }) => digest);
}

function insertSource(blob: Digest, repository: string): Statement {
  return { sql: 'INSERT INTO blob_sources VALUES (?, ?) ON CONFLICT DO NOTHING', params: [blob, repository] };
}

function insertLayer({ diffId, blob, blobSize, tarSize }: LayerBlob): Statement {
  return {
    sql: 'INSERT INTO layer_blobs VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    params: [diffId, blob, blobSize, tarSize],
  };
}

function upsertTag(name: string, image: Digest, taggedNano: bigint): Statement {
  return {
    sql: 'INSERT INTO image_tags VALUES (?, ?, ?) ON CONFLICT (reference) DO UPDATE SET image = excluded.image, tagged_nano = excluded.tagged_nano',
    params: [name, image, taggedNano],
  };
}

function deleteTag(name: string): Statement {
  return { sql: 'DELETE FROM image_tags WHERE reference = ?', params: [name] };
}
