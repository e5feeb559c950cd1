import type { ContentStore } from '../../content/content-store.ts';
import { EngineError, kindOf } from '../../errors/engine-error.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform, hostPlatform, matchesPlatform } from '../../oci/platform.ts';
import {
  canonicalName,
  familiarName,
  type Reference,
  repositoryName,
  withDefaultTag,
} from '../../oci/reference.ts';
import type { RegistryPushClient } from '../../registry/client/push-client.ts';
import type {
  RegistryCatalog,
  RegistryClient,
  RegistryConfig,
  RegistryRequest,
} from '../../registry/client/registry-client.ts';
import type { PullProgress, PullRequest } from '../image-backend.ts';
import { Background } from '../jobs/background.ts';
import { bringLayers, presentLayers } from '../layers/bring-layers.ts';
import type { LayerFetch, LayerFetches } from '../layers/layer-fetches.ts';
import type { ImageGc } from '../store/gc.ts';
import { type ImageManifest, joinImageManifest } from '../store/image-record.ts';
import type { ImageStore, LayerBlob } from '../store/image-store.ts';
import type { Lease, LeaseStore } from '../store/lease-store.ts';
import { PulledAttestations } from './pull-attestations.ts';
import { followManifest, type PulledManifest, pullConfig } from './pull-manifest.ts';
import { LayerLines, statusLine } from './pull-progress.ts';
import { requireSignature } from './require-signature.ts';
import type { SignaturePolicy } from './signature-policy.ts';

/** The registry as it is configured now; a reload changes both. */
export interface RegistryAccess {
  client(): RegistryClient;
  pushClient(): RegistryPushClient;
  catalog(): Pick<RegistryCatalog, 'tags' | 'referrers'>;
  config(): RegistryConfig;
}

export interface PullPorts {
  registry: RegistryAccess;
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  leases: LeaseStore;
  fetches: LayerFetches;
  gc: ImageGc;
  /** Read for each pull; undefined: everything may come in. */
  signaturePolicy: (() => Promise<SignaturePolicy>) | undefined;
}

export interface PullOptions {
  signal: AbortSignal;
  progress: (line: PullProgress) => void;
}

/** How long the finished layers of an interrupted pull wait for the next one. */
export const INTERRUPTED_GRACE_MS = 3600_000;

/** The names that a request stands for: its own, or one for each tag of the repository. @throws as RegistryCatalog. */
export async function wantedNames(
  { reference, credentials, tlsVerify }: PullRequest,
  { registry }: Pick<PullPorts, 'registry'>,
  signal: AbortSignal,
): Promise<Reference[]> {
  if (reference.tag !== undefined || reference.digest !== undefined) return [reference];
  const tags = await registry.catalog().tags(reference, { signal, credentials, tlsVerify });
  return tags.map((tag) => ({ ...reference, tag }));
}

/** Bring an image here, whole, and tag it last. Resolves to the reference that names it now. */
export async function pullImage(
  request: PullRequest,
  ports: PullPorts,
  options: PullOptions,
): Promise<Reference> {
  const lease = ports.leases.take();
  try {
    const reference = await pullUnderLease(request, { ports, lease, options });
    // A row that stays is void after its time: nobody has to wait for the disk.
    ports.leases.supersede(lease.roots()).catch(() => undefined);
    lease.release().catch(() => undefined);
    return reference;
  } catch (error) {
    // What was cut short may be taken up again; what was refused goes at once.
    if (options.signal.aborted || kindOf(error) === 'unavailable') await keepForAnother(lease, ports.gc);
    else await ports.gc.letGo(lease);
    throw error;
  }
}

async function keepForAnother(lease: Lease, gc: ImageGc): Promise<void> {
  const held = lease.roots();
  await lease.expire(INTERRUPTED_GRACE_MS);
  setTimeout(() => gc.collectLater(held), INTERRUPTED_GRACE_MS + 1000).unref();
}

interface Pull {
  ports: PullPorts;
  lease: Lease;
  options: PullOptions;
}

async function pullUnderLease(pullRequest: PullRequest, pull: Pull): Promise<Reference> {
  const { ports, options } = pull;
  const reference = withDefaultTag(pullRequest.reference);
  const platform = pullRequest.platform ?? hostPlatform();
  const { credentials, tlsVerify } = pullRequest;
  const request = { signal: options.signal, credentials, tlsVerify };
  const registry = ports.registry.client();
  const policy = await ports.signaturePolicy?.();
  const resolved = await registry.manifest(reference, request);
  if (policy !== undefined)
    await requireSignature({ reference, digest: resolved.descriptor.digest }, policy, {
      registry,
      catalog: ports.registry.catalog(),
      request,
    });
  options.progress({
    id:
      reference.digest === undefined
        ? (reference.tag ?? '')
        : canonicalName({ ...reference, tag: undefined }),
    status: `Pulling from ${reference.path}`,
  });
  const pulled = await followManifest(resolved, {
    reference,
    platform,
    ports: { registry, content: ports.content, request },
  });
  const { manifest, layers, extras } = await pullContent(pulled, { pull, registry, request, reference });
  const isNew = await finish(pulled, { manifest, layers, extras, reference, store: ports.store });
  options.progress({ status: `Digest: ${pulled.root.descriptor.digest}` });
  options.progress({ status: statusLine(reference, isNew) });
  const actual = manifest.config.platform;
  if (pullRequest.platform !== undefined && !matchesPlatform(platform, actual))
    options.progress({
      status: `WARNING: image with reference ${familiarName(reference)} was found but its platform (${formatPlatform(actual)}) does not match the specified platform (${formatPlatform(platform)})`,
    });
  return reference;
}

interface ContentContext {
  pull: Pull;
  registry: RegistryClient;
  request: RegistryRequest;
  reference: Reference;
}

interface PulledContent {
  manifest: ImageManifest;
  layers: LayerBlob[];
  /** Indexes on the way, and what is said about the manifest. */
  extras: Digest[];
}

async function pullContent(pulled: PulledManifest, context: ContentContext): Promise<PulledContent> {
  const { ports, lease } = context.pull;
  const blobs = [
    ...pulled.documents.map(({ descriptor }) => descriptor.digest),
    pulled.manifest.config.digest,
    ...pulled.manifest.layers.map(({ digest }) => digest),
  ];
  const background = new Background();
  try {
    background.add(lease.add({ blobs, chains: [] }));
    await ports.gc.settled();
    for (const { bytes, descriptor } of pulled.documents)
      background.add(ports.content.write(bytes, descriptor.digest));
    const configBytes = await pullConfig(
      { descriptor: pulled.manifest.config, reference: context.reference, source: pulled.source },
      { registry: context.registry, content: ports.content, request: context.request },
    );
    const manifest = joinManifest(pulled, configBytes);
    background.add(lease.add({ blobs: [], chains: manifest.chainIds }));
    await ports.gc.settled();
    const attestations = new PulledAttestations({
      ...pulled,
      lease,
      gc: ports.gc,
      reference: context.reference,
      ports: { registry: context.registry, content: ports.content, request: context.request },
    });
    background.add(attestations.ended);
    const layers = await pullLayers(manifest, pulled, context).catch((error: unknown) => {
      attestations.abandon();
      throw error;
    });
    const indexes = pulled.documents.slice(1, -1).map(({ descriptor }) => descriptor.digest);
    return { manifest, layers, extras: [...indexes, ...(await attestations.end())] };
  } finally {
    await background.end();
  }
}

function joinManifest({ documents, root }: PulledManifest, configBytes: Uint8Array): ImageManifest {
  const { descriptor, bytes } = documents.at(-1) ?? root;
  const stored = { digest: descriptor.digest, mediaType: descriptor.mediaType, size: bytes.length };
  const manifest = joinImageManifest(stored, bytes, configBytes);
  refuseForeignSystem(manifest.config.platform.os);
  return manifest;
}

function refuseForeignSystem(os: string): void {
  if (os !== '' && os !== 'linux')
    throw new EngineError(
      'invalid',
      `cannot download image with operating system ${JSON.stringify(os)} when requesting "linux"`,
    );
}

/** All layers at once, as the runner has room; the first failure stops the others. */
async function pullLayers(
  manifest: ImageManifest,
  pulled: PulledManifest,
  { pull, reference, request }: ContentContext,
): Promise<LayerBlob[]> {
  const { ports, options } = pull;
  const wanted = layerFetches(manifest, pulled, { ports, reference, request });
  const lines = wanted.map(({ job }) => new LayerLines(job.descriptor, options.progress));
  const present = await presentLayers(wanted, ports.fetches);
  const isKnown = isStored(ports.store, manifest) && !present.includes(undefined);
  for (const [index, line] of lines.entries())
    if (present[index] === undefined) line.begins();
    else if (!isKnown) line.exists();
  return await bringLayers(wanted, {
    fetches: ports.fetches,
    present,
    signal: options.signal,
    progress: (at, step) => lines[at]?.tell(step),
  });
}

/** Of an image that was here already Docker doesn't mention the layers. */
function isStored(store: ImageStore, { digest }: ImageManifest): boolean {
  return store.images().some(({ manifests }) => manifests.some((one) => one.digest === digest));
}

function layerFetches(
  { manifest, config, chainIds: chain }: ImageManifest,
  { source }: PulledManifest,
  { ports, reference, request }: { ports: PullPorts; reference: Reference; request: RegistryRequest },
): LayerFetch[] {
  return config.diffIds.flatMap((diffId, index) => {
    const descriptor = manifest.layers[index];
    const chainId = chain[index];
    if (descriptor === undefined || chainId === undefined) return [];
    const job = {
      contentRoot: ports.content.root,
      registry: ports.registry.config(),
      origin: {
        repository: reference,
        source,
        credentials: request.credentials,
        tlsVerify: request.tlsVerify,
      },
      descriptor,
      diffId,
    };
    return [{ job, chainId, parent: chain[index - 1] }];
  });
}

/** Image and tag, in one transaction. Resolves to whether the name means something new. */
async function finish(
  pulled: PulledManifest,
  image: PulledContent & { reference: Reference; store: ImageStore },
): Promise<boolean> {
  const { manifest, layers, extras, reference, store } = image;
  const { descriptor, bytes } = pulled.root;
  const name = canonicalName(reference.digest === undefined ? reference : { ...reference, tag: undefined });
  const known = store.image(descriptor.digest);
  const isNew =
    store.tag(name)?.image !== descriptor.digest ||
    known?.manifests.every(({ digest }) => digest !== manifest.digest) === true;
  const isMore = extras.some((digest) => known?.extras.includes(digest) !== true);
  if (isNew || isMore)
    await store.add({
      image: { digest: descriptor.digest, mediaType: descriptor.mediaType, size: bytes.length },
      manifests: [manifest],
      layers,
      tags: [name],
      extras,
      repository: repositoryName(reference),
    });
  return isNew;
}
