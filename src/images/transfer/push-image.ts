import type { ContentStore } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { hexOf } from '../../oci/digest.ts';
import { isImageConfigType } from '../../oci/media-types.ts';
import type { Platform } from '../../oci/platform.ts';
import {
  canonicalName,
  familiarName,
  familiarRepository,
  parseReference,
  type Reference,
  repositoryName,
} from '../../oci/reference.ts';
import type { PushBlob } from '../../registry/client/push-client.ts';
import { pushContent } from '../../registry/client/push-content.ts';
import type { RegistryCredentials } from '../../registry/client/registry-client.ts';
import type { TransferLine } from '../image-backend.ts';
import { type ImageGc, rootsOf } from '../store/gc.ts';
import { contentOf } from '../store/image-documents.ts';
import { blobsOf, type ImageRecord } from '../store/image-record.ts';
import type { ImageStore } from '../store/image-store.ts';
import { type ImageUsage, isUsed } from '../store/image-usage.ts';
import type { LeaseStore } from '../store/lease-store.ts';
import { compressImage } from './compress-image.ts';
import type { RegistryAccess } from './pull-image.ts';
import { onePlatform, pushable, rootOf, type TransferTarget } from './transfer-target.ts';
import { type UploadRunner, withUploads } from './upload-runner.ts';

export interface PushPorts {
  registry: RegistryAccess;
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  leases: LeaseStore;
  gc: ImageGc;
  uploads: UploadRunner;
  usage: ImageUsage;
}

export interface PushRequest {
  /** Without tag and digest: every tag of the repository. */
  reference: Reference;
  platform: Platform | undefined;
  credentials: RegistryCredentials | undefined;
  tlsVerify?: boolean | undefined;
}

export interface PushOptions {
  signal: AbortSignal;
  progress: (line: TransferLine) => void;
}

/** Repositories that are asked for a blob before it is sent. */
const MOUNT_TRIES = 3;

/**
 * Send an image, or all tags of a repository, to its registry. Blobs first, then manifests, the tag's own last. Resolves to the references that were pushed.
 *
 * @throws as RegistryPushClient; "not-found" in Docker's words for what isn't here.
 */
export async function pushImage(
  request: PushRequest,
  ports: PushPorts,
  options: PushOptions,
): Promise<Reference[]> {
  const { reference } = request;
  const opening = `The push refers to repository [${repositoryName(reference)}]`;
  options.progress({ status: opening });
  // Docker says it once, however many tags there are.
  const progress: PushOptions['progress'] = (line) => {
    if (!('status' in line) || line.status !== opening) options.progress(line);
  };
  const wanted = wantedTags(reference, ports.store);
  for (const one of wanted) await pushNamed(one, request, { ports, options: { ...options, progress } });
  return wanted.map((one) => one.reference);
}

/** Send an image that is here under a name that need not be one of its own; one without tag is its digest's. @throws as `pushImage`. */
export async function pushImageAs(
  image: ImageRecord,
  request: PushRequest,
  ports: PushPorts,
  options: PushOptions,
): Promise<void> {
  await pushOne({ reference: request.reference, image }, request, { ports, options });
}

interface Wanted {
  reference: Reference;
  image: ImageRecord;
}

function wantedTags(reference: Reference, store: ImageStore): Wanted[] {
  const isAll = reference.tag === undefined && reference.digest === undefined;
  const tags = isAll
    ? store
        .tags()
        .filter((tag) => tag.reference.tag !== undefined)
        .filter((tag) => repositoryName(tag.reference) === repositoryName(reference))
    : [store.tag(canonicalName(reference))];
  const wanted = tags.flatMap((tag): Wanted[] => {
    const image = tag === undefined ? undefined : store.image(tag.image);
    return tag === undefined || image === undefined ? [] : [{ reference: tag.reference, image }];
  });
  if (wanted.length > 0) return wanted;
  throw new EngineError(
    'not-found',
    isAll
      ? `An image does not exist locally with the tag: ${familiarRepository(reference)}`
      : `tag does not exist: ${familiarName(reference)}`,
  );
}

interface Push {
  ports: PushPorts;
  options: PushOptions;
}

/** Layers are compressed for the way; the name stands for what was sent from then on, so that both sides know it by one digest. */
async function pushNamed(wanted: Wanted, request: PushRequest, push: Push): Promise<void> {
  const { ports, options } = push;
  const { reference, image } = wanted;
  const lease = ports.leases.take();
  let sent: ImageRecord | undefined;
  try {
    await lease.add({ blobs: blobsOf(image), chains: [] });
    await ports.gc.settled();
    sent = await compressImage(image, ports, { lease, signal: options.signal });
    await pushOne({ reference, image: sent }, request, push);
    await renameSent(canonicalName(reference), { image, sent }, ports);
  } finally {
    await lease.release();
    if (sent !== undefined && sent.id !== image.id) await forgetUnsent(sent, ports);
  }
}

/** What was sent takes the name, and the place of what it was made of where nothing else holds that: else each push would leave one without a name. */
async function renameSent(
  name: string,
  { image, sent }: { image: ImageRecord; sent: ImageRecord },
  { store, usage, gc }: PushPorts,
): Promise<void> {
  if (sent.id === image.id || store.tag(name)?.image !== image.id) return;
  await store.setTag(name, sent.id);
  if (store.tags(image.id).length > 0 || isUsed(image, usage)) return;
  await store.supersede(image, sent.id);
  gc.collectLater(rootsOf(image));
}

/** A push that failed leaves no image of its own, unless another one is sending the same. */
async function forgetUnsent(sent: ImageRecord, { store, usage, leases, gc }: PushPorts): Promise<void> {
  if (store.tags(sent.id).length > 0 || isUsed(sent, usage)) return;
  if ((await leases.roots()).blobs.includes(sent.id)) return;
  await store.removeImage(sent.id);
  gc.collectLater(rootsOf(sent));
}

async function pushOne({ reference, image }: Wanted, request: PushRequest, push: Push): Promise<void> {
  const { ports, options } = push;
  const lease = ports.leases.take();
  try {
    await lease.add({ blobs: [image.id, ...image.manifests.map(({ digest }) => digest)], chains: [] });
    await ports.gc.settled();
    const name = familiarName(reference);
    const target =
      request.platform === undefined
        ? await pushable(ports.content, image, name)
        : await onePlatform(ports.content, image, { platform: request.platform, name });
    await lease.add({ blobs: contentOf(target), chains: [] });
    await ports.gc.settled();
    await sendContent(target, reference, { ...push, request });
    tellDone(target, {
      reference,
      image,
      progress: options.progress,
      isChosen: request.platform !== undefined,
    });
  } finally {
    await lease.release();
  }
}

function tellDone(
  { root }: TransferTarget,
  done: { reference: Reference; image: ImageRecord; isChosen: boolean; progress: PushOptions['progress'] },
): void {
  const { reference, image, progress } = done;
  if (root.digest !== image.id && !done.isChosen)
    progress({
      aux: {
        manifestPushedInsteadOfIndex: true,
        originalIndex: rootOf(image),
        selectedManifest: root,
      },
    });
  const { tag } = reference;
  if (tag === undefined) return;
  progress({ aux: { Tag: tag, Digest: root.digest, Size: root.size } });
}

async function sendContent(
  target: TransferTarget,
  reference: Reference,
  { ports, options, request }: Push & { request: PushRequest },
): Promise<void> {
  const { registry, content, store, uploads } = ports;
  const client = withUploads(registry.pushClient(), {
    uploads,
    contentRoot: content.root,
    registry: registry.config(),
  });
  const blobs = target.documents.flatMap((document) => document.blobs);
  const sent = {
    reference: { ...reference, digest: undefined },
    blobs: await Promise.all(blobs.map((blob) => pushBlob(blob, reference, ports))),
    manifests: target.documents.toReversed(),
  };
  await pushContent(client, sent, {
    signal: options.signal,
    credentials: request.credentials,
    tlsVerify: request.tlsVerify,
    maxConcurrentUploads: uploads.jobs,
    progress: options.progress,
  });
  const digests = blobs.map(({ digest }) => digest);
  await store.addSources([...new Set(digests)], repositoryName(reference));
}

/** Docker tells of layers; configs are too small to mention. */
async function pushBlob(
  descriptor: Descriptor,
  reference: Reference,
  { content, store }: PushPorts,
): Promise<PushBlob> {
  const sources = (await store.sourcesOf(descriptor.digest)).map((name) => parseReference(name));
  return {
    descriptor,
    open: (start) => content.stream(descriptor.digest, { start }),
    id: isImageConfigType(descriptor.mediaType) ? undefined : hexOf(descriptor.digest).slice(0, 12),
    mountFrom: sources
      .filter(({ domain, path }) => domain === reference.domain && path !== reference.path)
      .map(({ path }) => path)
      .slice(0, MOUNT_TRIES),
  };
}
