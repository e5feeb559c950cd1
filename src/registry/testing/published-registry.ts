import { MemoryBlobBackend } from '../server/memory-blob-backend.ts';
import { publishImage } from '../server/publish-image.ts';
import { createRegistryHandler } from '../server/registry-handler.ts';
import { type FaultyRegistry, startFaultyRegistry } from './faulty-registry.ts';
import type { SampleImage } from './sample-image.ts';

/** A faulty registry that holds images, each as `<repository>:<tag>`. */
export async function startPublished(
  images: Readonly<Record<string, SampleImage>>,
): Promise<FaultyRegistry & { backend: MemoryBlobBackend }> {
  const backend = new MemoryBlobBackend();
  for (const [name, { manifest, mediaType, config, layers }] of Object.entries(images)) {
    const [repository = '', tag = ''] = name.split(':');
    await publishImage(backend, {
      repository,
      tag,
      manifest: { mediaType, bytes: manifest.bytes },
      blobs: [config, ...layers].map(({ digest, bytes }) => ({
        digest,
        open: () => new Blob([bytes]).stream(),
      })),
    });
  }
  return Object.assign(await startFaultyRegistry(createRegistryHandler(backend)), { backend });
}
