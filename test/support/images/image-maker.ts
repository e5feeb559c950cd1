import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { type DiffId, type Digest, type DigestAlgorithm, digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPES } from '../../../src/oci/media-types.ts';
import type { Platform } from '../../../src/oci/platform.ts';

export interface MadeBlob {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

export interface MadeLayer extends MadeBlob {
  diffId: DiffId;
  tar: Uint8Array;
}

/** A manifest or index with everything below it. */
export interface MadeImage extends MadeBlob {
  blobs: MadeBlob[];
  manifests: MadeBlob[];
  layers: MadeLayer[];
  config: MadeBlob;
}

export interface MadeIndex extends MadeBlob {
  blobs: MadeBlob[];
  manifests: MadeBlob[];
}

export function sha256(bytes: Uint8Array): Digest {
  return digestOf(bytes);
}

export function makeBlob(
  content: Uint8Array,
  mediaType: string,
  algorithm: DigestAlgorithm = 'sha256',
): MadeBlob {
  // A Buffer's slice() would share its memory.
  const bytes = new Uint8Array(content);
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length } };
}

export function makeLayer(
  tar: Uint8Array,
  compression: 'none' | 'gzip' | 'zstd' = 'gzip',
  algorithm: DigestAlgorithm = 'sha256',
): MadeLayer {
  const diffId = sha256(tar) as string as DiffId;
  if (compression === 'none') return { ...makeBlob(tar, MEDIA_TYPES.ociLayer, algorithm), diffId, tar };
  if (compression === 'zstd')
    return { ...makeBlob(zstdCompressSync(tar), MEDIA_TYPES.ociLayerZstd, algorithm), diffId, tar };
  return { ...makeBlob(gzipSync(tar, { level: 1 }), MEDIA_TYPES.ociLayerGzip, algorithm), diffId, tar };
}

export interface ImageOptions {
  platform?: Platform;
  /** The config's `config` object, in JSON's spelling. */
  config?: Record<string, unknown>;
  created?: string;
  history?: Record<string, unknown>[];
  /** Where the config shall lie. */
  diffIds?: string[];
  docker?: boolean;
  /** Of config and manifest. */
  algorithm?: DigestAlgorithm;
  /** Spread over the manifest last: the place for lies. */
  manifest?: Record<string, unknown>;
}

export function makeImage(layers: MadeLayer[], options: ImageOptions = {}): MadeImage {
  const platform = options.platform ?? { os: 'linux', architecture: 'amd64' };
  const config = makeBlob(
    jsonBytes({
      ...platform,
      created: options.created ?? '2026-01-02T03:04:05Z',
      config: options.config ?? { Env: ['PATH=/bin'], Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: options.diffIds ?? layers.map(({ diffId }) => diffId) },
      history:
        options.history ??
        layers.map((_, index) => ({ created: '2026-01-01T00:00:00Z', created_by: `layer ${index}` })),
    }),
    options.docker === true ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.ociConfig,
    options.algorithm,
  );
  const mediaType = options.docker === true ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest;
  const manifest = makeBlob(
    jsonBytes({
      schemaVersion: 2,
      mediaType,
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
      ...options.manifest,
    }),
    mediaType,
    options.algorithm,
  );
  const described = { ...manifest, descriptor: { ...manifest.descriptor, platform } };
  return { ...described, config, layers, blobs: [config, ...layers], manifests: [described] };
}

export function makeIndex(
  images: readonly MadeImage[],
  extra: readonly Descriptor[] = [],
  algorithm: DigestAlgorithm = 'sha256',
): MadeIndex {
  const index = makeBlob(
    jsonBytes({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [...images.map(({ descriptor }) => descriptor), ...extra],
    }),
    MEDIA_TYPES.ociIndex,
    algorithm,
  );
  return {
    ...index,
    blobs: images.flatMap(({ blobs }) => blobs),
    manifests: [index, ...images.flatMap(({ manifests }) => manifests)],
  };
}

export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 255;
  }
  return bytes;
}
