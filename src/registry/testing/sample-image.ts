import { type Digest, type DigestAlgorithm, digestOf as digestBy } from '../../oci/digest.ts';

export interface SampleBlob {
  bytes: Uint8Array<ArrayBuffer>;
  digest: Digest;
}

export interface SampleImage {
  config: SampleBlob;
  layers: SampleBlob[];
  manifest: SampleBlob;
  mediaType: string;
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

export function blobOf(content: string | Uint8Array, algorithm?: DigestAlgorithm): SampleBlob {
  const bytes = new Uint8Array(typeof content === 'string' ? new TextEncoder().encode(content) : content);
  return { bytes, digest: digestBy(bytes, algorithm) };
}

export function digestOf(bytes: Uint8Array): Digest {
  return digestBy(bytes);
}

/** Bytes that differ everywhere and are the same each time. */
export function patterned(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** An image whose layers are bytes of no meaning: registries don't look inside. */
export function sampleImage(
  layers: (string | Uint8Array)[],
  mediaType = OCI_MANIFEST,
  extra: object = {},
): SampleImage {
  const docker = mediaType === DOCKER_MANIFEST;
  const config = blobOf(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const blobs = layers.map((layer) => blobOf(layer));
  const describe = (blob: SampleBlob, type: string) => ({
    mediaType: type,
    digest: blob.digest,
    size: blob.bytes.length,
  });
  const layerType = docker
    ? 'application/vnd.docker.image.rootfs.diff.tar.gzip'
    : 'application/vnd.oci.image.layer.v1.tar+gzip';
  const configType = docker
    ? 'application/vnd.docker.container.image.v1+json'
    : 'application/vnd.oci.image.config.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: describe(config, configType),
    layers: blobs.map((blob) => describe(blob, layerType)),
    ...extra,
  };
  // Indented in an odd way, so that a registry that re-encodes is found out.
  return { config, layers: blobs, manifest: blobOf(`${JSON.stringify(manifest, null, '   ')}\n`), mediaType };
}
