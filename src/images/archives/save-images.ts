import { open } from 'node:fs/promises';
import { TarWriter } from '../../archive/tar-writer.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  normalizePlatform,
  type Platform,
} from '../../oci/platform.ts';
import { parseReference, type Reference, repositoryName } from '../../oci/reference.ts';
import type { ImageEvents } from '../image-events.ts';
import { resolveImage } from '../resolve-image.ts';
import type { ImageGc } from '../store/gc.ts';
import { contentOf, type StoredDocument } from '../store/image-documents.ts';
import type { ImageRecord } from '../store/image-record.ts';
import type { ImageStore } from '../store/image-store.ts';
import type { Lease, LeaseStore } from '../store/lease-store.ts';
import { manifestsOf, onePlatform, type TransferTarget, wholeImage } from '../transfer/transfer-target.ts';
import { type SavedFile, type SavedImage, savedFiles } from './saved-archive.ts';

export interface SavePorts {
  content: ContentStore;
  store: ImageStore;
  leases: LeaseStore;
  gc: ImageGc;
  events: ImageEvents;
}

export interface SaveRequest {
  /** References (a repository alone stands for all its tags), IDs, digests, prefixes. */
  names: readonly string[];
  /** Empty: whatever is here. */
  platforms: readonly Platform[];
  /** What the images are called in the archive, instead of what they are called here. */
  as?: readonly Reference[];
}

/**
 * An archive of images that any Docker from 1.10 on loads, made while it is read. What it needs is held until the stream ends.
 *
 * @throws EngineError "not-found" before anything is written, for a name or platform that isn't here.
 */
export async function saveImages(
  { names, platforms, as }: SaveRequest,
  ports: SavePorts,
): Promise<AsyncGenerator<Uint8Array>> {
  const lease = ports.leases.take();
  try {
    const wanted = new Map<Digest, { image: ImageRecord; references: Reference[]; name: string }>();
    for (const name of names)
      for (const { image, reference } of named(name, ports.store)) {
        const known = wanted.get(image.id) ?? { image, references: [], name };
        if (reference !== undefined) known.references.push(reference);
        wanted.set(image.id, known);
      }
    await lease.add({ blobs: [...wanted.keys()], chains: [] });
    await ports.gc.settled();
    const images: SavedImage[] = [];
    for (const { image, references, name } of wanted.values())
      images.push(
        await savedImage(image, {
          references: as === undefined ? references : [...as],
          platforms,
          name,
          content: ports.content,
        }),
      );
    await lease.add({ blobs: images.flatMap(({ target }) => contentOf(target)), chains: [] });
    await ports.gc.settled();
    for (const id of wanted.keys()) ports.store.touch(id);
    for (const { target } of images) ports.events.happened('save', target.root.digest, {});
    return archive(savedFiles(images), ports.content, lease);
  } catch (error) {
    await lease.release();
    throw error;
  }
}

function named(name: string, store: ImageStore): { image: ImageRecord; reference: Reference | undefined }[] {
  const repository = repositoryAlone(name);
  if (repository !== undefined) {
    const found = store
      .tags()
      .filter(({ reference }) => reference.tag !== undefined && repositoryName(reference) === repository)
      .flatMap(({ reference, image: id }) => {
        const image = store.image(id);
        return image === undefined ? [] : [{ image, reference }];
      });
    if (found.length > 0) return found;
  }
  const { image, reference } = resolveImage(store, name);
  return [
    {
      image,
      reference: reference?.tag === undefined || reference.digest !== undefined ? undefined : reference,
    },
  ];
}

function repositoryAlone(name: string): string | undefined {
  try {
    const reference = parseReference(name);
    const isAlone = reference.tag === undefined && reference.digest === undefined;
    return isAlone ? repositoryName(reference) : undefined;
  } catch {
    // An ID, or what `resolveImage` refuses in Docker's words.
    return undefined;
  }
}

async function savedImage(
  image: ImageRecord,
  request: {
    references: Reference[];
    platforms: readonly Platform[];
    name: string;
    content: ContentStore;
  },
): Promise<SavedImage> {
  const { references, platforms, name, content } = request;
  const [platform, ...more] = platforms;
  let target: TransferTarget;
  if (platform !== undefined && more.length === 0)
    target = await onePlatform(content, image, { platform, name });
  else target = withPlatforms(await wholeImage(content, image), { image, platforms, name });
  if (target.documents.every(({ manifest }) => manifest === undefined))
    throw new EngineError('not-found', `No content of image ${name} is here`);
  return { target, references, legacy: legacyManifest(target, image, platforms) };
}

/** Indexes stay as they are; manifests of other platforms are left out. */
function withPlatforms(
  target: TransferTarget,
  { image, platforms, name }: { image: ImageRecord; platforms: readonly Platform[]; name: string },
): TransferTarget {
  if (platforms.length === 0) return target;
  const texts = new Set(platforms.map((platform) => formatPlatform(normalizePlatform(platform))));
  const kept = new Set<StoredDocument>();
  for (const { document, actual } of manifestsOf(target, image)) {
    const text = formatPlatform(normalizePlatform(actual));
    if (texts.has(text)) kept.add(document);
  }
  if (kept.size === 0)
    throw new EngineError(
      'not-found',
      `image with reference ${name} was found but does not provide any of the specified platforms (${[...texts].join(', ')})`,
      { code: 'no-matching-platform' },
    );
  const documents = target.documents.filter(
    (document) => document.manifest === undefined || kept.has(document),
  );
  return { ...target, documents };
}

/** The host's platform, else the first that there is. */
function legacyManifest(
  target: TransferTarget,
  image: ImageRecord,
  platforms: readonly Platform[],
): StoredDocument | undefined {
  const manifests = manifestsOf(target, image);
  const preferred = platforms.length === 1 ? (platforms[0] ?? hostPlatform()) : hostPlatform();
  return (manifests.find(({ actual }) => matchesPlatform(preferred, actual)) ?? manifests[0])?.document;
}

const READ_BYTES = 1 << 20;

async function* archive(
  files: readonly SavedFile[],
  content: ContentStore,
  lease: Lease,
): AsyncGenerator<Uint8Array> {
  const writer = new TarWriter();
  try {
    const folders = files.flatMap(({ path }) => /^blobs\/[^/]+/.exec(path) ?? []);
    for (const path of ['blobs', ...new Set(folders)])
      yield writer.header({ path, type: 'directory', mode: 0o755, size: 0 });
    for (const file of files) {
      const size = 'bytes' in file ? file.bytes.length : file.blob.size;
      yield writer.header({ path: file.path, type: 'file', mode: 0o644, size });
      for await (const chunk of 'bytes' in file ? [file.bytes] : readBlob(content, file.blob.digest)) {
        writer.content(chunk.length);
        yield chunk;
      }
      const padding = writer.padding();
      if (padding.length > 0) yield padding;
    }
    yield writer.end();
  } finally {
    await lease.release();
  }
}

/** In large pieces: a stream's are small, and each costs a turn of the event loop. */
async function* readBlob(content: ContentStore, digest: Digest): AsyncGenerator<Uint8Array> {
  const file = await open(content.path(digest), 'r');
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(READ_BYTES), 0, READ_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
