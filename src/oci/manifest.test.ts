import { expect, test } from 'bun:test';
import { MAX_MANIFEST_BYTES, parseIndex, parseManifest } from './manifest.ts';
import { MEDIA_TYPES } from './media-types.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const descriptor = (mediaType: string): object => ({ mediaType, digest: DIGEST, size: 7 });
const config = descriptor(MEDIA_TYPES.ociConfig);
const layer = descriptor(MEDIA_TYPES.ociLayerGzip);
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

// The example of the OCI image spec, manifest.md.
const specManifest = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: 'sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7',
    size: 7023,
  },
  layers: [
    {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: 'sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0',
      size: 32654,
    },
  ],
  annotations: { 'com.example.key1': 'value1' },
};

test("parseManifest() reads the specification's example", () => {
  const { schemaVersion: _, ...rest } = specManifest;
  expect(parseManifest(bytes(specManifest), MEDIA_TYPES.ociManifest)).toEqual(rest as never);
});

test('parseManifest() names the field that is wrong', () => {
  const base = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [layer] };
  const cases: [unknown, RegExp][] = [
    [[], /manifest: expected an object/],
    [{ ...base, schemaVersion: 3 }, /schemaVersion/],
    [{ schemaVersion: 1, fsLayers: [] }, /version 1 is not supported/],
    [{ ...base, manifests: [] }, /also has "manifests"/],
    [{ ...base, mediaType: MEDIA_TYPES.dockerManifest }, /mediaType/],
    [{ ...base, mediaType: 7 }, /manifest\.mediaType: expected a string/],
    [{ ...base, config: undefined }, /manifest\.config: expected an object/],
    [{ ...base, config: { ...config, digest: 'md5:00' } }, /manifest\.config\.digest/],
    [{ ...base, config: { ...config, digest: `sha256:${'A'.repeat(64)}` } }, /manifest\.config\.digest/],
    [{ ...base, layers: {} }, /manifest\.layers: expected an array/],
    [{ ...base, layers: [layer, { ...layer, size: -1 }] }, /manifest\.layers\[1\]\.size/],
    [{ ...base, layers: [{ ...layer, size: 1.5 }] }, /manifest\.layers\[0\]\.size/],
    [{ ...base, layers: [{ ...layer, size: 2 ** 63 }] }, /manifest\.layers\[0\]\.size/],
    [{ ...base, layers: [{ ...layer, size: '7' }] }, /manifest\.layers\[0\]\.size/],
    [{ ...base, layers: Array(1025).fill(layer) }, /at most 1024/],
    [{ ...base, annotations: { a: 1 } }, /manifest\.annotations\.a/],
  ];
  for (const [document, message] of cases)
    expect(() => parseManifest(bytes(document), MEDIA_TYPES.ociManifest)).toThrow(message);
});

test('hostile bytes are refused', () => {
  const decode = (text: string | Uint8Array): unknown =>
    parseManifest(typeof text === 'string' ? new TextEncoder().encode(text) : text, MEDIA_TYPES.ociManifest);
  for (const text of [
    '',
    '{',
    'null',
    '1',
    '"x"',
    '{"a":',
    `${'['.repeat(200_000)}`,
    new Uint8Array([0xff, 0xfe]),
  ])
    expect(() => decode(text)).toThrow(/Invalid manifest/);
  expect(() => decode(new Uint8Array(MAX_MANIFEST_BYTES + 1))).toThrow(/larger than/);
  expect(() => decode('{"__proto__":{"schemaVersion":2}}')).toThrow(/schemaVersion/);
});

test('parseIndex() reads platforms; a manifest is no index', () => {
  const entry = {
    ...descriptor(MEDIA_TYPES.ociManifest),
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
  };
  const index = parseIndex(bytes({ schemaVersion: 2, manifests: [entry] }), MEDIA_TYPES.ociIndex);
  expect(index.manifests[0]?.platform).toEqual({ os: 'linux', architecture: 'arm', variant: 'v7' });
  expect(() => parseIndex(bytes(specManifest), MEDIA_TYPES.ociIndex)).toThrow(/also has/);
  expect(() => parseIndex(bytes({ schemaVersion: 2 }), MEDIA_TYPES.ociIndex)).toThrow(/index\.manifests/);
});
