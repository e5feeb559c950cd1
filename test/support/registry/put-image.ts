import type { SampleImage } from '../../../src/registry/testing/sample-image.ts';

/** Put an image into a registry with nothing but HTTP. */
export async function putImage(
  url: string,
  { repository, tag }: { repository: string; tag: string },
  image: SampleImage,
  init: BunFetchRequestInit = {},
): Promise<void> {
  const base = `${url}/v2/${repository}`;
  for (const { bytes, digest } of [image.config, ...image.layers]) {
    const begun = await fetch(`${base}/blobs/uploads/`, { ...init, method: 'POST' });
    const session = new URL(begun.headers.get('location') ?? '', url);
    session.searchParams.set('digest', digest);
    await created(fetch(session, { ...init, method: 'PUT', body: bytes }));
  }
  const headers = { ...Object.fromEntries(new Headers(init.headers)), 'content-type': image.mediaType };
  await created(
    fetch(`${base}/manifests/${tag}`, { ...init, method: 'PUT', body: image.manifest.bytes, headers }),
  );
}

async function created(answer: Promise<Response>): Promise<void> {
  const response = await answer;
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
}
