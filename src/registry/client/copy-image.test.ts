import { afterEach, beforeEach, expect, test } from 'bun:test';
import { parseReference } from '../../oci/reference.ts';
import { plainConfig } from '../testing/contract.ts';
import type { FaultyRegistry } from '../testing/faulty-registry.ts';
import { startPublished } from '../testing/published-registry.ts';
import { blobOf, OCI_INDEX, OCI_MANIFEST, type SampleBlob, sampleImage } from '../testing/sample-image.ts';
import { copyImage } from './copy-image.ts';
import { DistributionClient } from './distribution-client.ts';
import { DistributionPushClient } from './distribution-push-client.ts';

const image = sampleImage(['a layer', 'another']);
let source: FaultyRegistry;
let target: Awaited<ReturnType<typeof startPublished>>;
beforeEach(async () => {
  source = await startPublished({ 'app:v1': image });
  target = await startPublished({});
});
afterEach(() => Promise.all([source.close(), target.close()]));

const timing = { retryBaseMs: 1, retryMaxMs: 2, manifestAttempts: 2, blobAttempts: 2 };
const given = { from: { username: 'from', password: 'one' }, to: { username: 'to', password: 'two' } };
function copy(options: { signal?: AbortSignal; credentials?: typeof given } = {}) {
  return copyImage(
    {
      from: parseReference(`127.0.0.1:${source.port}/app:v1`),
      to: parseReference(`127.0.0.1:${target.port}/copy:v1`),
    },
    {
      source: new DistributionClient(plainConfig, { timing }),
      target: new DistributionPushClient(plainConfig, { timing }),
    },
    {
      signal: options.signal ?? new AbortController().signal,
      credentials: options.credentials ?? { from: undefined, to: undefined },
      tlsVerify: { from: undefined, to: undefined },
      maxConcurrentUploads: 2,
      progress: () => undefined,
    },
  );
}
const failure = (options: Parameters<typeof copy>[0] = {}) => copy(options).catch((error: unknown) => error);
const serve = (documents: Record<string, SampleBlob>) => {
  source.fault = ({ path }) => {
    const found = documents[path.replace('/v2/app/manifests/', '')];
    if (found === undefined) return undefined;
    const body = new TextDecoder().decode(found.bytes);
    return { kind: 'answer', status: 200, headers: { 'content-type': OCI_INDEX }, body };
  };
};
const indexOf = (...entries: object[]) =>
  blobOf(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }));
const entry = (blob: SampleBlob, mediaType: string, size = blob.bytes.length) => ({
  mediaType,
  digest: blob.digest,
  size,
});

test('credentials go each to its own registry', async () => {
  for (const registry of [source, target])
    registry.fault = ({ headers }) =>
      headers.has('authorization')
        ? undefined
        : { kind: 'answer', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
  await copy({ credentials: given });
  const sent = (registry: FaultyRegistry) =>
    new Set(registry.requests.flatMap(({ headers }) => headers.get('authorization') ?? []));
  expect([sent(source), sent(target)]).toEqual([
    new Set([`Basic ${btoa('from:one')}`]),
    new Set([`Basic ${btoa('to:two')}`]),
  ]);
});

test('an index that names itself under a tag is not followed: the digest it names is asked for', async () => {
  const self = indexOf({
    mediaType: OCI_INDEX,
    digest: image.manifest.digest,
    size: image.manifest.bytes.length,
  });
  serve({ v1: self, [image.manifest.digest]: self });
  expect(await failure()).toMatchObject({ code: 'digest-mismatch' });
});

test('indexes nested too deep are refused, and nothing is pushed', async () => {
  const levels: SampleBlob[] = [indexOf(entry(image.manifest, OCI_MANIFEST))];
  for (let level = 0; level < 4; level++) levels.unshift(indexOf(entry(levels[0] as SampleBlob, OCI_INDEX)));
  serve({ v1: levels[0] as SampleBlob, ...Object.fromEntries(levels.map((blob) => [blob.digest, blob])) });
  expect(await failure()).toMatchObject({ message: 'Invalid index: indexes are nested too deep' });
  expect(target.requests).toEqual([]);
});

test('a size that lies is refused', async () => {
  serve({ v1: indexOf(entry(image.manifest, OCI_MANIFEST, 7)) });
  expect(await failure()).toMatchObject({ code: 'digest-mismatch' });
  serve({ v1: indexOf(entry(image.manifest, OCI_MANIFEST, 1e12)) });
  expect(await failure()).toMatchObject({ code: 'size-exceeded' });
  expect(target.requests).toEqual([]);
});

test('an abort in the middle leaves no session and no tag', async () => {
  const controller = new AbortController();
  source.fault = ({ path }) => {
    if (path.includes('/blobs/')) setTimeout(() => controller.abort(new Error('enough')), 30);
    return path.includes('/blobs/') ? { kind: 'stall', atByte: 3 } : undefined;
  };
  expect(await failure({ signal: controller.signal })).toMatchObject({ message: 'enough' });
  const count = (method: string) => target.requests.filter((request) => request.method === method).length;
  expect([count('POST'), count('PUT')]).toEqual([count('DELETE'), 0]);
});
