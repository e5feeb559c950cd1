import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { parseReference } from '../../oci/reference.ts';
import { plainConfig } from '../testing/contract.ts';
import { type Fault, type FaultyRegistry } from '../testing/faulty-registry.ts';
import { startPublished } from '../testing/published-registry.ts';
import { blobOf, OCI_INDEX, OCI_MANIFEST, sampleImage } from '../testing/sample-image.ts';
import { CatalogClient } from './catalog-client.ts';

const image = sampleImage(['a layer']);
const { digest } = image.manifest;
let registry: FaultyRegistry;
beforeEach(async () => {
  registry = await startPublished({ 'app:v1': image, 'app:v2': image, 'other:x': image });
});
afterEach(() => registry.close());

const client = () => new CatalogClient(plainConfig, { timing: { retryBaseMs: 1 } });
const host = () => `127.0.0.1:${registry.port}`;
const name = (text = 'app') => parseReference(`${host()}/${text}`);
const options = () => ({ signal: new AbortController().signal });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'it worked',
    (error: unknown) => error,
  );
const json = (body: object, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

describe('tags() and repositories()', () => {
  test('list what there is', async () => {
    expect(await client().tags(name(), options())).toEqual(['v1', 'v2']);
    expect((await client().repositories(host(), options())).toSorted()).toEqual(['app', 'other']);
  });

  test('follow pages, on this host', async () => {
    const pages: Record<string, Fault> = {
      '/v2/app/tags/list?n=1000': json(
        { tags: ['a', 'b'] },
        { link: '</v2/app/tags/list?last=b>; rel="next"' },
      ),
      '/v2/app/tags/list?last=b': json({ tags: ['c', '../evil', 7] }),
    };
    registry.fault = ({ path }) => pages[path];
    expect(await client().tags(name(), options())).toEqual(['a', 'b', 'c']);
    registry.fault = () => json({ tags: ['a'] }, { link: '<http://127.0.0.2:1/next>; rel=next' });
    expect(await failure(client().tags(name(), options()))).toMatchObject({
      message: "Cannot list: the registry's next page is on another host",
    });
  });

  test('end where the pages do not', async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `t${index}`);
    registry.fault = () => json({ tags: many }, { link: '</v2/app/tags/list?again>; rel="next"' });
    expect(await failure(client().tags(name(), options()))).toMatchObject({ code: 'size-exceeded' });
    expect(registry.requests).toHaveLength(6);
    registry.fault = () => json({ tags: [] }, { link: '</v2/app/tags/list?again>; rel="next"' });
    expect(await client().tags(name(), options())).toEqual([]);
  });

  test('end where a page does not', async () => {
    registry.fault = () => ({ kind: 'endless' });
    expect(await failure(client().tags(name(), options()))).toMatchObject({ code: 'size-exceeded' });
  });

  test('know a repository without tags from an answer that is no list', async () => {
    registry.fault = () => json({ name: 'app', tags: null });
    expect(await client().tags(name(), options())).toEqual([]);
    registry.fault = () => json({ name: 'app' });
    expect(await failure(client().tags(name(), options()))).toMatchObject({
      message: "Cannot list: the registry's answer has no tags",
    });
  });

  test('of an unknown repository have its words', async () => {
    expect(await failure(client().tags(name('nosuch'), options()))).toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('name unknown'),
    });
  });
});

describe('referrers()', () => {
  const signature = {
    mediaType: OCI_MANIFEST,
    digest: blobOf('signature').digest,
    size: 9,
    artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
    annotations: { who: 'me' },
  };
  const sbom = { ...signature, digest: blobOf('sbom').digest, artifactType: 'text/spdx' };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [signature, sbom] };
  const ask = (artifactType?: string) =>
    client().referrers(
      { repository: name(), digest, ...(artifactType === undefined ? {} : { artifactType }) },
      options(),
    );

  test('by the API; a type that the registry does not filter is filtered here', async () => {
    registry.fault = ({ path }) => (path.startsWith(`/v2/app/referrers/${digest}`) ? json(index) : undefined);
    expect(await ask()).toEqual([signature, sbom] as never);
    expect(await ask('text/spdx')).toEqual([sbom] as never);
    expect(registry.requests.at(-1)?.path).toBe(`/v2/app/referrers/${digest}?artifactType=text%2Fspdx`);
  });

  test.each<[string, Fault]>([
    ['knows no such API', { kind: 'answer', status: 404 }],
    [
      'answers a page',
      { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
    ],
  ])('by the tag schema where the registry %s', async (_name, fault) => {
    registry.fault = ({ path }) => {
      if (path.includes('/referrers/')) return fault;
      return path === `/v2/app/manifests/${digest.replace(':', '-')}`
        ? json(index, { 'content-type': OCI_INDEX })
        : undefined;
    };
    expect(await ask('text/spdx')).toEqual([sbom] as never);
  });

  test('are none where neither is there', async () => {
    registry.fault = ({ path }) =>
      path.includes('/referrers/') ? { kind: 'answer', status: 404 } : undefined;
    expect(await ask()).toEqual([]);
  });

  test('a refusal is no absence', async () => {
    registry.fault = () => ({ kind: 'answer', status: 401 });
    expect(await failure(ask())).toMatchObject({ kind: 'unauthorized' });
  });
});
