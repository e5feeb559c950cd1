import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { busybox, helloWorld, packSeed } from '../../../scripts/seed/seed-images.ts';
import { isStaticProgram } from '../../../scripts/static-program.mjs';
import { MemoryBlobBackend } from '../../../src/registry/server/memory-blob-backend.ts';
import { publishImage } from '../../../src/registry/server/publish-image.ts';
import { createRegistryHandler } from '../../../src/registry/server/registry-handler.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../../src/registry/testing/faulty-registry.ts';
import type { MadeBlob } from '../images/image-maker.ts';

/** A registry in this process that can lie, and what it holds. */
export interface SeedRegistry extends FaultyRegistry {
  publish(
    name: { repository: string; tag: string },
    image: MadeBlob & { blobs: readonly MadeBlob[]; manifests: readonly MadeBlob[] },
  ): Promise<void>;
}

/** A registry on loopback with hello-world and busybox, to be the mirror of docker.io. */
export async function startSeedRegistry(): Promise<SeedRegistry> {
  const backend = new MemoryBlobBackend();
  for (const seed of [helloWorld(), busyboxSeed()])
    for (const image of await packSeed(seed)) await publishImage(backend, image);
  const registry = await startFaultyRegistry(createRegistryHandler(backend));
  const publish: SeedRegistry['publish'] = async ({ repository, tag }, image) => {
    const blobs = image.blobs.map(({ descriptor, bytes }) => ({
      digest: descriptor.digest,
      open: () => new Blob([bytes.slice()]).stream(),
    }));
    const isTagged = (one: MadeBlob) => one.descriptor.digest === image.descriptor.digest;
    const children = image.manifests.filter((one) => !isTagged(one));
    for (const one of [...children, image])
      await publishImage(backend, {
        repository,
        tag: isTagged(one) ? tag : undefined,
        manifest: { mediaType: one.descriptor.mediaType, bytes: one.bytes },
        blobs,
      });
  };
  return Object.assign(registry, { publish });
}

/** The static busybox of this machine. */
export function busyboxPath(): string {
  const path = ['/usr/bin/busybox', '/bin/busybox'].find((candidate) => isStaticProgram(candidate));
  if (path === undefined)
    throw new Error('Cannot find the static busybox. Install the package busybox-static.');
  return path;
}

function busyboxSeed() {
  const path = busyboxPath();
  const applets = execFileSync(path, ['--list-full'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  return busybox(new Uint8Array(readFileSync(path)), applets, process.arch === 'arm64' ? 'arm64' : 'amd64');
}
