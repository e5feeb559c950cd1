import { describe, expect, test } from 'bun:test';
import type { Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { hostPlatform } from '../../oci/platform.ts';
import recorded from './buildkit-cache.json';
import { documentType, readCaches } from './read-caches.ts';

const bytesOf = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
const platforms = [hostPlatform()];

/** A cache in a directory as BuildKit writes it (Docker 28.5.2), and its layers. */
async function readRecorded(manifest: object, config: object = recorded.config) {
  const bytes = bytesOf(manifest);
  const documents = {
    manifest: async () => {
      throw new Error('no manifest is asked for');
    },
    blob: async ({ digest }: Descriptor) => {
      expect(digest as string).toBe(recorded.manifest.config.digest);
      return bytesOf(config);
    },
  };
  return await readCaches(bytes, documentType(bytes), { documents, platforms });
}

describe('a cache that BuildKit has written', () => {
  test('is read: each layer with its blob, its tar and the results that it is of', async () => {
    const [cache] = await readRecorded(recorded.manifest);
    const { layers } = recorded.manifest;
    expect(cache?.layers.map(({ descriptor }) => descriptor.digest as string)).toEqual(
      recorded.config.layers.map(({ blob }) => blob),
    );
    expect(cache?.layers.map(({ diffId, descriptor }) => [diffId as string, descriptor.size])).toEqual(
      recorded.config.layers.map(({ blob }) => {
        const found = layers.find(({ digest }) => digest === blob);
        return [found?.annotations['containerd.io/uncompressed'] ?? '', found?.size ?? 0];
      }),
    );
    expect(cache?.results).toEqual(
      recorded.config.records.flatMap(({ digest, layers: of = [] }) =>
        of.map(({ layer }) => ({ key: digest, layer })),
      ),
    );
  });

  test('is the same as an index of blobs, the older form', async () => {
    const { layers, config } = recorded.manifest;
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [...layers, config] };
    expect(await readRecorded(index)).toEqual(await readRecorded(recorded.manifest));
  });

  test('a layer of which nobody says what it holds is left out, with its results', async () => {
    const { annotations: _, ...bare } = recorded.manifest.layers[0] as (typeof recorded.manifest.layers)[0];
    const manifest = { ...recorded.manifest, layers: [bare, ...recorded.manifest.layers.slice(1)] };
    const [cache] = await readRecorded(manifest);
    expect(cache?.layers).toHaveLength(recorded.config.layers.length - 1);
    expect(cache?.results).toHaveLength(2);
    for (const { layer } of cache?.results ?? []) expect(cache?.layers[layer]).toBeDefined();
  });

  test.each<[string, object]>([
    ['a layer that is no digest', { layers: [{ blob: '../../etc/passwd' }] }],
    ['a result of no layer', { layers: [], records: [{ digest: 'sha256:a', layers: [{ layer: 0 }] }] }],
    [
      'a size that is none',
      { layers: [{ blob: recorded.config.layers[0]?.blob, annotations: { size: -1 } }] },
    ],
    ['layers that are no list', { layers: 'many' }],
    ['a cache mount of no layer', { layers: [], 'sampan.mounts': [{ key: 'mount:a', layer: 0 }] }],
    ['a cache mount without a key', { ...recorded.config, 'sampan.mounts': [{ layer: 0 }] }],
  ])('%s is refused', async (_, config) => {
    const failure = await readRecorded(recorded.manifest, config).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    expect(failure).toMatch(/malformed|cache config|layers|sampan.mounts/);
  });
});
