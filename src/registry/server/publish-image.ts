import { randomUUID } from 'node:crypto';
import type { Digest } from '../../oci/digest.ts';
import type { BlobBackend } from './blob-backend.ts';
import { describe } from './manifest.ts';

export interface PublishedImage {
  repository: string;
  tag: string | undefined;
  manifest: { mediaType: string; bytes: Uint8Array };
  /** Config and layers; those that are there are not opened. */
  blobs: { digest: Digest; open(): ReadableStream<Uint8Array> }[];
}

/**
 * Put an image into an embedded registry from inside the process: blobs first, then the manifest, then its tag.
 *
 * @throws EngineError "invalid" code digest-mismatch; RegistryRefusal for a manifest that is none. Returns the manifest's digest.
 */
export async function publishImage(backend: BlobBackend, image: PublishedImage): Promise<Digest> {
  const stored = describe(image.manifest.bytes, image.manifest.mediaType);
  for (const blob of image.blobs)
    if (!(await backend.mountBlob(image.repository, blob.digest, undefined)))
      await publishBlob(backend, image.repository, blob);
  const tags = image.tag === undefined ? [] : [image.tag];
  await backend.putManifest(image.repository, { ...stored, tags });
  return stored.descriptor.digest;
}

async function publishBlob(
  backend: BlobBackend,
  repository: string,
  blob: PublishedImage['blobs'][number],
): Promise<void> {
  const upload = await backend.upload(randomUUID());
  try {
    for await (const chunk of blob.open()) await upload.write(chunk);
    await upload.commit(repository, blob.digest);
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
