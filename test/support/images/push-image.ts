import type { MadeBlob } from './image-maker.ts';

/** Put a made image into a registry, by the distribution protocol's plainest calls. */
export async function pushImage(
  base: string,
  name: { repository: string; tag: string },
  image: MadeBlob & { blobs: readonly MadeBlob[]; manifests: readonly MadeBlob[] },
): Promise<void> {
  const repository = `${base}/v2/${name.repository}`;
  for (const { descriptor, bytes } of image.blobs) {
    const start = await fetch(`${repository}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(start.headers.get('location') ?? '', base);
    location.searchParams.set('digest', descriptor.digest);
    const headers = { 'content-type': 'application/octet-stream' };
    await expectCreated(
      await fetch(location, { method: 'PUT', headers, body: bytes as Uint8Array<ArrayBuffer> }),
    );
  }
  const isSha256 = image.descriptor.digest.startsWith('sha256:');
  const root = isSha256 ? name.tag : `${image.descriptor.digest}?tag=${name.tag}`;
  const tagged = (manifest: MadeBlob): string =>
    manifest.descriptor.digest === image.descriptor.digest ? root : manifest.descriptor.digest;
  const children = image.manifests.filter(({ descriptor }) => descriptor.digest !== image.descriptor.digest);
  for (const manifest of [...children, image])
    await expectCreated(
      await fetch(`${repository}/manifests/${tagged(manifest)}`, {
        method: 'PUT',
        headers: { 'content-type': manifest.descriptor.mediaType },
        body: manifest.bytes as Uint8Array<ArrayBuffer>,
      }),
    );
}

async function expectCreated(response: Response): Promise<void> {
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
}
