import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { ImageBench } from '../../../test/support/images/image-bench.ts';
import { type MadeImage, makeImage, makeLayer, noise } from '../../../test/support/images/image-maker.ts';
import { pushImage } from '../../../test/support/images/push-image.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { parseReference } from '../../oci/reference.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../registry/testing/faulty-registry.ts';

const TYPES = [
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
];
const base = makeLayer(makeTar([file('a', 'a')]));
const foreign = makeLayer(makeTar([file('b', noise(900_000))]));
const name = { repository: 'win/app', tag: '1' };

let directory = '';
let tls: { key: string; cert: string };
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-foreign-'));
  const made = Bun.spawnSync(
    'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -days 2 -subj /CN=x'.split(
      ' ',
    ),
    { cwd: directory },
  );
  if (made.exitCode !== 0) throw new Error(String(made.stderr));
  const read = (path: string) => Bun.file(join(directory, path)).text();
  tls = { key: await read('key'), cert: await read('cert') };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let web: Bun.Server<undefined>;
let asked: Request[];
let answer: (request: Request) => Response;
let registry: FaultyRegistry;
let bench: ImageBench;
beforeEach(async () => {
  asked = [];
  answer = () => new Response(foreign.bytes as Uint8Array<ArrayBuffer>);
  web = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls,
    fetch: (request) => {
      asked.push(request);
      return answer(request);
    },
  });
  registry = await startFaultyRegistry(createRegistryHandler(new MemoryBlobBackend()));
  bench = await ImageBench.start({ mirror: registry.url });
});
afterEach(async () => {
  await bench.stop();
  await registry.close();
  await web.stop(true);
});

const at = (path = 'layer') => `https://127.0.0.1:${web.port}/${path}`;
const reference = () => `127.0.0.1:${registry.port}/win/app:1`;

/** Published without the layer, unless `isHere`. */
async function publish(
  urls: string[],
  { mediaType = TYPES[1] ?? '', isHere = false } = {},
): Promise<MadeImage> {
  const layer = { ...foreign, descriptor: { ...foreign.descriptor, mediaType, urls } };
  const image = makeImage([base, layer], { docker: mediaType === TYPES[0] });
  const isSent = ({ descriptor }: { descriptor: { digest: string } }) =>
    isHere || descriptor.digest !== foreign.descriptor.digest;
  await pushImage(registry.url, name, { ...image, blobs: image.blobs.filter(isSent) });
  return image;
}
const pull = (credentials?: { username: string; password: string }) =>
  bench.images.pull(
    { reference: parseReference(reference()), platform: undefined, credentials },
    { signal: new AbortController().signal, progress: () => undefined },
  );

test.each(TYPES)('a layer of type %s that the registry has not got comes from its URL', async (mediaType) => {
  const image = await publish([at('gone'), at()], { mediaType });
  answer = (request) =>
    request.url.endsWith('/gone')
      ? new Response('no', { status: 404 })
      : new Response(foreign.bytes as Uint8Array<ArrayBuffer>);
  await pull({ username: 'me', password: 'hunter2' });
  expect((await bench.images.get(reference())).id).toBe(image.descriptor.digest);
  expect(asked.map(({ url }) => url)).toEqual([at('gone'), at()]);
  for (const { headers } of asked) expect([...headers.keys()]).not.toContain('authorization');
});

test('what the registry has is taken from there', async () => {
  await publish([at()], { isHere: true });
  await pull();
  expect(asked).toEqual([]);
});

test('it is pushed, with the manifest as it was', async () => {
  const image = await publish([at()]);
  await pull();
  const target = parseReference(`127.0.0.1:${registry.port}/copy/app:1`);
  await bench.images.tag(reference(), target);
  await bench.images.push(
    { reference: target, platform: undefined, credentials: undefined },
    { signal: new AbortController().signal, progress: () => undefined },
  );
  const copy = await fetch(`${registry.url}/v2/copy/app/manifests/1`);
  expect(copy.headers.get('docker-content-digest')).toBe(image.descriptor.digest);
  const blob = await fetch(`${registry.url}/v2/copy/app/blobs/${foreign.descriptor.digest}`);
  expect(blob.status).toBe(200);
});

const refusals: [string, () => string[], (() => Response) | undefined, RegExp][] = [
  ['plain HTTP', () => [at().replace('https', 'http')], undefined, /not an https URL/],
  ['a file', () => ['file:///etc/passwd'], undefined, /not an https URL/],
  [
    'a URL with a password',
    () => [at().replace('//', '//me:hunter2@')],
    undefined,
    /a URL with a user is not asked/,
  ],
  [
    'a redirect to plain HTTP',
    () => [at()],
    () => Response.redirect(registry.url),
    /redirected to plain HTTP/,
  ],
  ['a server that refuses', () => [at()], () => new Response('', { status: 403 }), /layer": status 403/],
];
test.each(refusals)(
  '%s: the error is the registry’s, with what was tried',
  async (_what, urls, other, reason) => {
    await publish(urls());
    if (other !== undefined) answer = other;
    const failure = await failureOf(pull());
    expect(failure).toMatchObject({ kind: 'not-found' });
    expect(failure instanceof EngineError ? failure.hint : '').toMatch(reason);
    expect(Bun.inspect(failure)).not.toContain('hunter2');
    await bench.images.settled();
    expect(bench.images.count()).toBe(0);
  },
);

test.each([
  ['other bytes', () => new Response(noise(foreign.bytes.length, 9) as Uint8Array<ArrayBuffer>)],
  ['more bytes', () => new Response(new Uint8Array(foreign.bytes.length + 1))],
])('%s at the URL are refused', async (_what, other) => {
  await publish([at()]);
  answer = other;
  expect(await failureOf(pull())).toMatchObject({ kind: 'invalid' });
  await bench.images.settled();
  expect(bench.images.count()).toBe(0);
});

test('URLs of a common layer are not asked', async () => {
  await publish([at()], { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', isHere: true });
  registry.fault = ({ path }) =>
    path.endsWith(foreign.descriptor.digest) ? { kind: 'answer', status: 404 } : undefined;
  expect(await failureOf(pull())).toMatchObject({ kind: 'not-found' });
  expect(asked).toEqual([]);
});
