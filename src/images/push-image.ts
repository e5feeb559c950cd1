import type { ContentStore } from '../content/content-store.ts';
import { EngineError } from '../errors/engine-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import { isImageConfigType, isLayerType } from '../oci/media-types.ts';
import type { Platform } from '../oci/platform.ts';
import {
  canonicalName,
  familiarName,
  familiarRepository,
  parseReference,
  type Reference,
  repositoryName,
} from '../oci/reference.ts';
import type { RegistryPushClient } from '../registry/push-client.ts';
import type { RegistryCredentials } from '../registry/registry-client.ts';
import type { ImageGc } from './gc.ts';
import type { TransferLine } from './image-backend.ts';
import { blobsIn, contentOf } from './image-documents.ts';
import type { ImageRecord } from './image-record.ts';
import type { ImageStore } from './image-store.ts';
import type { LeaseStore } from './lease-store.ts';
import type { RegistryAccess } from './pull-image.ts';
import { onePlatform, pushable, rootOf, type TransferTarget } from './transfer-target.ts';
import type { UploadRunner } from './upload-runner.ts';

export interface PushPorts {
  registry: RegistryAccess;
  content: ContentStore & { readonly root: string };
  store: ImageStore;
  leases: LeaseStore;
  gc: ImageGc;
  uploads: UploadRunner;
}

export interface PushRequest {
  /** Without tag and digest: every tag of the repository. */
  reference: Reference;
  platform: Platform | undefined;
  credentials: RegistryCredentials | undefined;
}

export interface PushOptions {
  signal: AbortSignal;
  progress: (line: TransferLine) => void;
}

/** Blobs whose presence is asked for at a time. */
const CHECKS_AT_ONCE = 8;
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
  options.progress({ status: `The push refers to repository [${repositoryName(reference)}]` });
  const wanted = wantedTags(reference, ports.store);
  for (const one of wanted) await pushOne(one, request, { ports, options });
  return wanted.map((one) => one.reference);
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
    await pushContent(target, reference, { ...push, request });
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
  progress({ status: `${tag}: digest: ${root.digest} size: ${root.size}` });
  progress({ aux: { Tag: tag, Digest: root.digest, Size: root.size } });
}

interface ContentPush extends Push {
  request: PushRequest;
}

async function pushContent(target: TransferTarget, reference: Reference, push: ContentPush): Promise<void> {
  const { ports, options, request } = push;
  const client = ports.registry.pushClient();
  const blobs = new Map(
    target.documents
      .flatMap(({ manifest }) => (manifest === undefined ? [] : blobsIn(manifest)))
      .map((blob) => [blob.digest, blob]),
  );
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const queue = [...blobs.values()];
  for (const blob of queue) tellBlob(blob, { status: 'Preparing' }, options.progress);
  const take = async (): Promise<void> => {
    try {
      for (let blob = queue.shift(); blob !== undefined; blob = queue.shift()) {
        signal.throwIfAborted();
        await pushBlob(blob, reference, { ...push, client, signal });
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  await Promise.allSettled(Array.from({ length: CHECKS_AT_ONCE }, take));
  options.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  const { credentials } = request;
  for (const { descriptor, bytes } of target.documents.toReversed()) {
    const isRoot = descriptor.digest === target.root.digest;
    const name = isRoot ? reference : { ...reference, tag: undefined, digest: descriptor.digest };
    const manifest = { mediaType: descriptor.mediaType, bytes };
    const named = await client.putManifest(name, manifest, { signal: options.signal, credentials });
    if (named !== descriptor.digest)
      throw new EngineError(
        'unavailable',
        `Cannot push ${familiarName(reference)}: the registry stored ${named} for ${descriptor.digest}`,
        { code: 'digest-mismatch' },
      );
  }
  await ports.store.addSources([...blobs.keys()], repositoryName(reference));
}

interface BlobPush extends ContentPush {
  client: RegistryPushClient;
  signal: AbortSignal;
}

async function pushBlob(blob: Descriptor, reference: Reference, push: BlobPush): Promise<void> {
  const { ports, request, client, signal } = push;
  const { credentials } = request;
  const say = (status: string): void => tellBlob(blob, { status }, push.options.progress);
  if (await client.blobExists(reference, blob.digest, { signal, credentials })) {
    say('Layer already exists');
    return;
  }
  const from = await mount(blob, reference, push);
  if (from !== undefined) {
    say(`Mounted from ${from}`);
    return;
  }
  const job = {
    contentRoot: ports.content.root,
    registry: ports.registry.config(),
    repository: reference,
    credentials,
    blob: { digest: blob.digest, size: blob.size },
  };
  await ports.uploads.run(job, {
    signal,
    waiting: () => say('Waiting'),
    progress: ({ current }) => tellBlob(blob, { status: 'Pushing', current }, push.options.progress),
  });
  say('Pushed');
}

/** Another repository of the same registry that is known to have the blob may give it. Resolves to that repository's path. */
async function mount(blob: Descriptor, reference: Reference, push: BlobPush): Promise<string | undefined> {
  const { ports, request, client, signal } = push;
  const candidates = (await ports.store.sourcesOf(blob.digest))
    .map((name) => parseReference(name))
    .filter(({ domain, path }) => domain === reference.domain && path !== reference.path)
    .slice(0, MOUNT_TRIES);
  for (const { path } of candidates) {
    const options = { signal, credentials: request.credentials };
    if (await client.mountBlob(reference, { digest: blob.digest, from: path }, options)) return path;
  }
  return undefined;
}

/** Docker tells of layers; configs are too small to mention. */
function tellBlob(
  { mediaType, digest, size }: Descriptor,
  { status, current }: { status: string; current?: number },
  progress: PushOptions['progress'],
): void {
  if (isImageConfigType(mediaType)) return;
  const text = status === 'Layer already exists' && !isLayerType(mediaType) ? 'Already exists' : status;
  const id = hexOf(digest).slice(0, 12);
  progress(current === undefined ? { id, status: text } : { id, status: text, current, total: size });
}
