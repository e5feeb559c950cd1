import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';

/** An in-toto statement about an image, as JSON. */
export interface Attestation {
  predicateType: string;
  bytes: Uint8Array;
}

export interface BuiltDocument {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** A document of ours as a blob. */
export function documentOf(mediaType: string, value: Uint8Array | object): BuiltDocument {
  const bytes = value instanceof Uint8Array ? value : new TextEncoder().encode(JSON.stringify(value));
  const digest = `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}` as Digest;
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** Media types of OCI, or of Docker as clients of before OCI know them. */
export function manifestDocument(parts: {
  config: Descriptor;
  layers: readonly Descriptor[];
  annotations: Record<string, string> | undefined;
  ociTypes: boolean;
}): BuiltDocument {
  const { config, layers, annotations, ociTypes } = parts;
  const mediaType = ociTypes ? MEDIA_TYPES.ociManifest : MEDIA_TYPES.dockerManifest;
  return documentOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: bare(config),
    layers: layers.map((layer) => ({ ...bare(layer), mediaType: layerType(layer.mediaType, ociTypes) })),
    ...(annotations === undefined ? {} : { annotations }),
  });
}

export function configType(ociTypes: boolean): string {
  return ociTypes ? MEDIA_TYPES.ociConfig : MEDIA_TYPES.dockerConfig;
}

const DOCKER_LAYERS: Readonly<Record<string, string>> = {
  [MEDIA_TYPES.ociLayer]: MEDIA_TYPES.dockerLayer,
  [MEDIA_TYPES.ociLayerGzip]: MEDIA_TYPES.dockerLayerGzip,
};

/** One manifest has layers of one family; what the other hasn't got stays as it is. */
export function layerType(mediaType: string, ociTypes: boolean): string {
  if (!ociTypes) return DOCKER_LAYERS[mediaType] ?? mediaType;
  const known = Object.entries(DOCKER_LAYERS).find(([, docker]) => docker === mediaType);
  return known?.[0] ?? mediaType;
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** The manifest that carries statements about another, in BuildKit's form. Resolves to all its blobs, itself last. */
export function attestationDocuments(statements: readonly Attestation[]): {
  manifest: BuiltDocument;
  blobs: BuiltDocument[];
} {
  const layers = statements.map(({ bytes, predicateType }) => {
    const layer = documentOf('application/vnd.in-toto+json', bytes);
    return { ...layer, annotations: { 'in-toto.io/predicate-type': predicateType } };
  });
  const config = documentOf(MEDIA_TYPES.ociConfig, {
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
  });
  const manifest = documentOf(MEDIA_TYPES.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: config.descriptor,
    layers: layers.map(({ descriptor, annotations }) => ({ ...descriptor, annotations })),
  });
  return { manifest, blobs: [...layers, config, manifest] };
}

export interface IndexEntry {
  descriptor: Descriptor;
  platform: Platform;
  annotations: Record<string, string> | undefined;
  /** Its attestations. */
  attestation: Descriptor | undefined;
}

/** Images first, what is said about them after. */
export function indexDocument(
  entries: readonly IndexEntry[],
  { annotations, ociTypes }: { annotations: Record<string, string> | undefined; ociTypes: boolean },
): BuiltDocument {
  const mediaType = ociTypes ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.dockerList;
  const images = entries.map((entry) => ({
    ...bare(entry.descriptor),
    ...(entry.annotations === undefined ? {} : { annotations: entry.annotations }),
    platform: renderPlatform(entry.platform),
  }));
  const attestations = entries.flatMap(({ descriptor, attestation }) =>
    attestation === undefined
      ? []
      : [
          {
            ...bare(attestation),
            annotations: {
              'vnd.docker.reference.digest': descriptor.digest,
              'vnd.docker.reference.type': 'attestation-manifest',
            },
            platform: { architecture: 'unknown', os: 'unknown' },
          },
        ],
  );
  return documentOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: [...images, ...attestations],
    ...(annotations === undefined ? {} : { annotations }),
  });
}

function renderPlatform({ os, architecture, variant, osVersion }: Platform): object {
  return {
    architecture,
    os,
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
    ...(variant === undefined ? {} : { variant }),
  };
}
