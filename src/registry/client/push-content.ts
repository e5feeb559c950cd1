import { EngineError } from '../../errors/engine-error.ts';
import { algorithmOf, type Digest } from '../../oci/digest.ts';
import { type Reference, repositoryName } from '../../oci/reference.ts';
import type { PushBlob, PushContent, PushOptions, RegistryPushClient } from './push-client.ts';

/**
 * Push blobs in parallel, each at most once: what is there is not sent, what a neighbour repository has is mounted. Then the manifests in order, the
 * root last and under its tag, so that a name never stands for half an image. Resolves to the root's digest.
 *
 * @throws as `RegistryPushClient`. A failure stops the other uploads; an abort takes their sessions back.
 */
export async function pushContent(
  client: RegistryPushClient,
  content: PushContent,
  options: PushOptions,
): Promise<Digest> {
  const { reference, manifests } = content;
  options.progress({ status: `The push refers to repository [${repositoryName(reference)}]` });
  const blobs = [...new Map(content.blobs.map((blob) => [blob.descriptor.digest, blob])).values()];
  await pushBlobs(client, { blobs, reference }, options);
  const [root] = manifests.slice(-1);
  if (root === undefined) throw new EngineError('invalid', 'Cannot push: there is no manifest');
  for (const manifest of manifests.slice(0, -1)) await putManifest(client, { manifest, reference }, options);
  const { digest, size } = root.descriptor;
  // A registry takes what comes under a tag by sha256.
  const isUsual = reference.tag !== undefined && algorithmOf(digest) === 'sha256';
  const name = { ...reference, digest: isUsual ? undefined : digest };
  const { mediaType } = root.descriptor;
  await client.putManifest(name, { mediaType, bytes: root.bytes }, options);
  options.progress({ status: `${reference.tag ?? digest}: digest: ${digest} size: ${size}` });
  return digest;
}

async function putManifest(
  client: RegistryPushClient,
  { manifest, reference }: { manifest: PushContent['manifests'][number]; reference: Reference },
  options: PushOptions,
): Promise<void> {
  const { digest, mediaType } = manifest.descriptor;
  const name = { ...reference, tag: undefined, digest };
  await client.putManifest(name, { mediaType, bytes: manifest.bytes }, options);
}

async function pushBlobs(
  client: RegistryPushClient,
  { blobs, reference }: { blobs: readonly PushBlob[]; reference: Reference },
  options: PushOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const slots = Math.max(1, options.maxConcurrentUploads);
  let isReached = false;
  const reached = (): void => {
    if (isReached) return;
    isReached = true;
    for (const { id } of blobs) if (id !== undefined) options.progress({ id, status: 'Preparing' });
    for (const { id } of blobs.slice(slots))
      if (id !== undefined) options.progress({ id, status: 'Waiting' });
  };
  const queue = blobs.values();
  const workers = Array.from({ length: Math.min(slots, blobs.length) }, async () => {
    for (const blob of queue)
      await pushBlob(client, { blob, reference, reached }, { ...options, signal }).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
  });
  await Promise.allSettled(workers);
  options.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function pushBlob(
  client: RegistryPushClient,
  { blob, reference, reached }: { blob: PushBlob; reference: Reference; reached: () => void },
  options: PushOptions,
): Promise<void> {
  options.signal.throwIfAborted();
  const { descriptor, id, open } = blob;
  const tell = (status: string, current?: number) => {
    if (id === undefined) return;
    options.progress(
      current === undefined ? { id, status } : { id, status, current, total: descriptor.size },
    );
  };
  const exists = await client.blobExists(reference, descriptor.digest, options);
  reached();
  if (exists) return tell('Layer already exists');
  for (const from of blob.mountFrom ?? [])
    if (await client.mountBlob(reference, { digest: descriptor.digest, from }, options))
      return tell(`Mounted from ${from}`);
  await client.uploadBlob(
    reference,
    { descriptor, open },
    {
      ...options,
      onProgress: (sentBytes) => tell('Pushing', sentBytes),
      onRetry: (pauseMs) => {
        const seconds = Math.ceil(pauseMs / 1000);
        tell(`Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`);
      },
    },
  );
  tell('Pushed');
}
