import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { canonicalName, familiarName, type Reference } from '../../oci/reference.ts';
import type { StoredDocument } from '../store/image-documents.ts';
import type { TransferTarget } from '../transfer/transfer-target.ts';

/** One image in an archive, and the names that it has there. */
export interface SavedImage {
  target: TransferTarget;
  references: Reference[];
  /** What old engines load of it: they know one manifest per image. */
  legacy: StoredDocument | undefined;
}

/** A file of the archive: bytes made here, or a blob of the content store. */
export type SavedFile =
  | { path: string; bytes: Uint8Array }
  | { path: string; blob: Pick<Descriptor, 'digest' | 'size'> };

/**
 * The files of a saved archive: an OCI layout with containerd's annotations, and Docker's `manifest.json`, as Docker 29 saves. Every blob is there once, as
 * it was received.
 */
export function savedFiles(images: readonly SavedImage[]): SavedFile[] {
  const files: SavedFile[] = [
    { path: 'oci-layout', bytes: jsonBytes({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', bytes: jsonBytes(indexOf(images)) },
    { path: 'manifest.json', bytes: jsonBytes(legacyManifests(images)) },
  ];
  const seen = new Set<Digest>();
  const add = (digest: Digest, file: SavedFile): void => {
    if (!seen.has(digest)) files.push(file);
    seen.add(digest);
  };
  const documents = images.flatMap(({ target }) => target.documents);
  for (const { descriptor, bytes } of documents)
    add(descriptor.digest, { path: blobPath(descriptor.digest), bytes });
  for (const { blobs } of documents)
    for (const blob of blobs) add(blob.digest, { path: blobPath(blob.digest), blob });
  return files;
}

/** Where a blob lies in an OCI layout. */
function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

function indexOf(images: readonly SavedImage[]): object {
  const manifests = images.flatMap(({ target, references }) => {
    const { mediaType, digest, size, platform } = target.root;
    const descriptor = { mediaType, digest, size };
    const described =
      platform === undefined ? descriptor : { ...descriptor, platform: renderPlatform(platform) };
    if (references.length === 0) return [described];
    return references.map((reference) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': canonicalName(reference),
        'org.opencontainers.image.ref.name': reference.tag ?? '',
      },
      ...(platform === undefined ? {} : { platform: renderPlatform(platform) }),
    }));
  });
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
}

function renderPlatform({
  os,
  architecture,
  variant,
  osVersion,
}: NonNullable<Descriptor['platform']>): object {
  return {
    architecture,
    os,
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
    ...(variant === undefined ? {} : { variant }),
  };
}

function legacyManifests(images: readonly SavedImage[]): object[] {
  return images.flatMap(({ legacy, references }) => {
    if (legacy?.manifest === undefined) return [];
    const { config, layers } = legacy.manifest;
    return [
      {
        Config: blobPath(config.digest),
        RepoTags: references.length === 0 ? null : references.map(familiarName),
        Layers: layers.map(({ digest }) => blobPath(digest)),
      },
    ];
  });
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
