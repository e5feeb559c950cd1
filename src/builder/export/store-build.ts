import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { type ImageManifest, joinImageManifest } from '../../images/store/image-record.ts';
import type { ImageStore, LayerBlob } from '../../images/store/image-store.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts';
import type { Platform } from '../../oci/platform.ts';
import { renderImageConfig } from '../../oci/render-image-config.ts';
import type { BaseImage } from '../plan/build-step.ts';
import type { StageState } from '../plan/stage-state.ts';
import type { BuiltLayer } from '../solver/cache-record.ts';
import { annotationsAt } from './annotations.ts';
import { builtConfig } from './image-config.ts';
import {
  type Attestation,
  attestationDocuments,
  type BuiltDocument,
  configType,
  documentOf,
  indexDocument,
  manifestDocument,
} from './image-documents.ts';
import type { LayerBlobs } from './layer-blobs.ts';
import type { OutputCompression, OutputOptions } from './output-options.ts';

/** What was built for one platform. */
export interface BuiltStage {
  platform: Platform;
  state: StageState;
  chain: ChainId | undefined;
  /** Those above the base image, lowest first. */
  layers: readonly BuiltLayer[];
}

export interface StoreOptions {
  output: Omit<OutputOptions, 'compression'> & { compression: OutputCompression };
  labels: ReadonlyMap<string, string>;
  /** Seconds: when the image says that it was made. */
  epoch: number | undefined;
  /** The cache's description for an image's config; undefined: none. */
  inlineCache: (stage: BuiltStage, layers: readonly Descriptor[]) => string | undefined;
  /** What is to be said about a manifest. */
  attest: (stage: BuiltStage, manifest: Descriptor) => Promise<Attestation[]>;
  signal: AbortSignal;
}

export interface StorePorts {
  content: ContentStore;
  store: ImageStore;
  blobs: LayerBlobs;
  lease: Lease;
}

export interface StoredBuild {
  imageId: Digest;
  root: Descriptor;
  /** Of the only platform. */
  configDigest: Digest | undefined;
}

interface StoredStage {
  manifest: BuiltDocument;
  config: BuiltDocument;
  image: ImageManifest;
  layers: LayerBlob[];
  attestation: ReturnType<typeof attestationDocuments> | undefined;
}

/** Put what was built into the engine's images, without a name yet: a manifest, or an index where there are several or something is said about them. */
export async function storeBuild(
  stages: readonly BuiltStage[],
  options: StoreOptions,
  ports: StorePorts,
): Promise<StoredBuild> {
  const stored: StoredStage[] = [];
  for (const stage of stages) stored.push(await storeStage(stage, options, ports));
  const root = rootOf(stages, stored, options.output);
  const [first] = stored;
  if (first === undefined) throw new EngineError('internal', 'A build without platforms');
  if (root !== first.manifest) await writeAll([root], ports);
  const { digest, mediaType, size } = root.descriptor;
  await ports.store.add({
    image: { digest, mediaType, size },
    manifests: stored.map(({ image }) => image),
    layers: stored.flatMap(({ layers }) => layers),
    tags: [],
    extras: stored.flatMap(
      ({ attestation }) => attestation?.blobs.map((blob) => blob.descriptor.digest) ?? [],
    ),
  });
  const configDigest = stored.length === 1 ? first.config.descriptor.digest : undefined;
  return { imageId: digest, root: root.descriptor, configDigest };
}

function rootOf(
  stages: readonly BuiltStage[],
  stored: readonly StoredStage[],
  { annotations, ociTypes }: Pick<OutputOptions, 'annotations' | 'ociTypes'>,
): BuiltDocument {
  const [first] = stored;
  const ofIndex = annotationsAt(annotations, 'index');
  const isAlone = stored.length === 1 && first !== undefined && first.attestation === undefined;
  if (isAlone && (ofIndex !== undefined || annotations.some(({ place }) => place === 'manifest-descriptor')))
    throw new EngineError('invalid', 'index annotations not supported for single platform export');
  if (isAlone) return first.manifest;
  const entries = stored.map(({ manifest, attestation }, at) => {
    const platform = (stages[at] as BuiltStage).platform;
    return {
      descriptor: manifest.descriptor,
      platform,
      annotations: annotationsAt(annotations, 'manifest-descriptor', platform),
      attestation: attestation?.manifest.descriptor,
    };
  });
  const isOci =
    ociTypes || ofIndex !== undefined || stored.some(({ attestation }) => attestation !== undefined);
  return indexDocument(entries, { annotations: ofIndex, ociTypes: isOci });
}

async function storeStage(stage: BuiltStage, options: StoreOptions, ports: StorePorts): Promise<StoredStage> {
  const { output, labels, epoch, signal } = options;
  const { state, layers } = stage;
  const below = state.base === undefined ? [] : await layersOf(state.base, ports.content);
  const plain = [...below, ...layers.map(({ descriptor }) => descriptor)];
  const descriptors = await ports.blobs.all(plain, output, { lease: ports.lease, signal });
  const annotations = annotationsAt(output.annotations, 'manifest', stage.platform);
  const ociTypes = output.ociTypes || annotations !== undefined;
  const built = renderImageConfig(builtConfig({ state, layers, labels, epoch }));
  const config = documentOf(configType(ociTypes), withCache(built, options.inlineCache(stage, descriptors)));
  const manifest = manifestDocument({
    config: config.descriptor,
    layers: descriptors,
    annotations,
    ociTypes,
  });
  const statements = await options.attest(stage, manifest.descriptor);
  const attestation = statements.length === 0 ? undefined : attestationDocuments(statements);
  await writeAll([config, manifest, ...(attestation?.blobs ?? [])], ports);
  const { digest, mediaType, size } = manifest.descriptor;
  const image = joinImageManifest({ digest, mediaType, size }, manifest.bytes, config.bytes);
  const rows = layers.map(({ diffId, tarSize }, at): LayerBlob => {
    const { digest: blob, size: blobSize } = descriptors[below.length + at] as Descriptor;
    return { diffId, blob, blobSize, tarSize };
  });
  return { manifest, config, image, layers: [...(state.base?.layout?.layers ?? []), ...rows], attestation };
}

/** BuildKit's place for an image's own cache. */
function withCache(config: Uint8Array, cache: string | undefined): Uint8Array {
  if (cache === undefined) return config;
  const document = JSON.parse(new TextDecoder().decode(config)) as object;
  const whole = { ...document, 'moby.buildkit.cache.v0': Buffer.from(cache).toString('base64') };
  return new TextEncoder().encode(JSON.stringify(whole));
}

async function writeAll(
  documents: readonly BuiltDocument[],
  { content, lease }: Pick<StorePorts, 'content' | 'lease'>,
): Promise<void> {
  await lease.add({ blobs: documents.map(({ descriptor }) => descriptor.digest), chains: [] });
  await Promise.all(documents.map(({ bytes }) => content.write(bytes)));
}

async function layersOf(base: BaseImage, content: ContentStore): Promise<readonly Descriptor[]> {
  const bytes = await content.read(base.manifestDigest, { maxBytes: MAX_MANIFEST_BYTES });
  return parseManifest(bytes).layers;
}
