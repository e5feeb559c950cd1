import { afterAll, beforeAll, expect, test } from 'bun:test';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { failureOf } from '../../../test/support/failure-of.ts';
import { plainRegistryConfig } from '../../../test/support/images/image-bench.ts';
import {
  jsonBytes,
  type MadeBlob,
  makeBlob,
  makeImage,
  makeLayer,
} from '../../../test/support/images/image-maker.ts';
import {
  CLAIM_TYPE,
  makeClaim,
  makeSignatureManifest,
  signatureTag,
  signClaim,
} from '../../../test/support/images/sign-image.ts';
import { file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { hexOf } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { CatalogClient } from '../../registry/client/catalog-client.ts';
import { DistributionClient } from '../../registry/client/distribution-client.ts';
import { MemoryBlobBackend } from '../../registry/server/memory-blob-backend.ts';
import { publishImage } from '../../registry/server/publish-image.ts';
import { createRegistryHandler } from '../../registry/server/registry-handler.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../../registry/testing/faulty-registry.ts';
import { requireSignature } from './require-signature.ts';
import type { SignaturePolicy, SignatureRule } from './signature-policy.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const ed = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const image = makeImage([makeLayer(makeTar([file('a', 'a')]))]);
const { digest } = image.descriptor;

let registry: FaultyRegistry;
let backend: MemoryBlobBackend;
beforeAll(async () => {
  backend = new MemoryBlobBackend();
  registry = await startFaultyRegistry(createRegistryHandler(backend));
});
afterAll(async () => await registry.close());

const home = (): string => `127.0.0.1:${registry.port}`;
const claimFor = (path: string, change: object = {}) => makeClaim(`${home()}/${path}`, digest, change);

async function publish(
  repository: string,
  tag: string | undefined,
  made: MadeBlob & { blobs: readonly MadeBlob[] },
): Promise<void> {
  await publishImage(backend, {
    repository,
    tag,
    manifest: { mediaType: made.descriptor.mediaType, bytes: made.bytes },
    blobs: made.blobs.map(({ descriptor, bytes }) => ({
      digest: descriptor.digest,
      open: () => new Blob([bytes.slice()]).stream(),
    })),
  });
}

/** The image, and its signatures under cosign's tag. */
async function publishSigned(
  path: string,
  claims: readonly { claim: Uint8Array; key: KeyObject }[],
): Promise<void> {
  await publish(path, '1', image);
  const signatures = claims.map(({ claim, key }) => signClaim(claim, key));
  await publish(path, signatureTag(digest), makeSignatureManifest(signatures));
}

async function check(path: string, rule: Partial<SignatureRule> = {}): Promise<void> {
  const keys = [ed.publicKey, ec.publicKey, rsa.publicKey];
  const wanted = { kind: 'signed', keys, signedAs: undefined, ...rule } as SignatureRule;
  const policy: SignaturePolicy = {
    otherwise: { kind: 'reject' },
    rules: new Map([[`${home()}/*`, wanted]]),
  };
  await requireSignature({ reference: parseReference(`${home()}/${path}:1`), digest }, policy, {
    registry: new DistributionClient(plainRegistryConfig),
    catalog: new CatalogClient(plainRegistryConfig),
    request: { signal: AbortSignal.timeout(20_000) },
  });
}

test.each([
  ['ECDSA P-256', ec],
  ['Ed25519', ed],
  ['RSA', rsa],
])('a signature by %s lets the image in', async (name, { privateKey }) => {
  const path = `by/${name.toLowerCase().replaceAll(' ', '')}`;
  await publishSigned(path, [{ claim: claimFor(path), key: privateKey }]);
  await check(path);
});

test('one that counts is enough among others', async () => {
  await publishSigned('among', [
    { claim: claimFor('among'), key: stranger.privateKey },
    { claim: claimFor('elsewhere'), key: ec.privateKey },
    { claim: claimFor('among'), key: ec.privateKey },
  ]);
  await check('among');
});

test('a referrer of the image is found where there is no tag', async () => {
  await publish('referred', '1', image);
  const signature = signClaim(claimFor('referred'), ec.privateKey);
  const manifest = makeSignatureManifest([signature], {
    subject: image.descriptor,
    artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
  });
  await publish('referred', undefined, manifest);
  await check('referred');
});

test('without a signature the refusal says what is missing and what to do', async () => {
  await publish('bare', '1', image);
  expect(await failureOf(check('bare'))).toMatchObject({
    kind: 'forbidden',
    code: 'signature-refused',
    message: `Cannot pull ${home()}/bare:1: the signature policy for ${home()}/* wants a signature by one of its keys for ${home()}/bare, and ${digest} has no signature. Sign it ("cosign sign --key <key> ${home()}/bare@${digest}"), or change the policy's rule`,
  });
});

const other = `sha256:${'0'.repeat(64)}`;
test.each([
  [
    'a key that nobody trusts',
    (path: string) => claimFor(path),
    stranger.privateKey,
    'is by none of the keys',
  ],
  [
    'another digest',
    (path: string) => makeClaim(`${home()}/${path}`, other),
    ec.privateKey,
    `is for "${other}"`,
  ],
  ['another repository', () => claimFor('victim'), ec.privateKey, '/victim"'],
  [
    'another registry',
    (path: string) => makeClaim(`evil.test/${path}`, digest),
    ec.privateKey,
    'is for "evil.test/',
  ],
  ['another tag', (path: string) => claimFor(`${path}:2`), ec.privateKey, ':2"'],
  [
    'another purpose',
    (path: string) => claimFor(path, { type: 'sbom' }),
    ec.privateKey,
    'is no signature of an image',
  ],
  ['no image', (path: string) => claimFor(path, { image: 7 }), ec.privateKey, 'is no signature of an image'],
  [
    'no name',
    () => makeClaim('UPPER CASE\x1b', digest),
    ec.privateKey,
    'names no repository ("UPPER CASE\\u001b")',
  ],
  ['no JSON', () => new TextEncoder().encode('{"critical":'), ec.privateKey, 'is no signature of an image'],
  ['no text', () => new Uint8Array([0xff, 0xfe]), ec.privateKey, 'is no signature of an image'],
])('a signature for %s is refused', async (what, claim, key, reason) => {
  const path = `no/${what.toLowerCase().replaceAll(' ', '-')}`;
  await publishSigned(path, [{ claim: claim(path), key }]);
  const failure = await failureOf(check(path));
  expect(failure).toMatchObject({ code: 'signature-refused' });
  expect(String(failure)).toContain(reason);
});

test('a changed claim does not pass with the signature of the true one', async () => {
  await publish('changed', '1', image);
  const { signature } = signClaim(makeClaim('evil.test/x', digest), ec.privateKey);
  const claim = makeBlob(claimFor('changed'), CLAIM_TYPE);
  await publish('changed', signatureTag(digest), makeSignatureManifest([{ claim, signature }]));
  expect(String(await failureOf(check('changed')))).toContain('is by none of the keys');
});

test('a huge claim is not fetched', async () => {
  const claim = makeBlob(new Uint8Array(65_537), CLAIM_TYPE);
  await publish('huge', '1', image);
  await publish('huge', signatureTag(digest), makeSignatureManifest([{ claim, signature: 'AA==' }]));
  registry.requests.length = 0;
  expect(String(await failureOf(check('huge')))).toContain('is malformed');
  expect(registry.requests.some(({ path }) => path.includes(claim.descriptor.digest))).toBe(false);
});

test('a huge signature, and one of another media type, are passed over', async () => {
  await publish('odd', '1', image);
  const good = signClaim(claimFor('odd'), ec.privateKey);
  const typed = { ...good, claim: makeBlob(good.claim.bytes, 'application/octet-stream') };
  await publish(
    'odd',
    signatureTag(digest),
    makeSignatureManifest([{ ...good, signature: 'A'.repeat(5000) }, typed]),
  );
  const text = String(await failureOf(check('odd')));
  expect(text).toContain('has no signature that could be one');
  expect(text).toContain('has the media type "application/octet-stream"');
});

test('of thousands of signatures fifty are looked at', async () => {
  const claims = Array.from({ length: 200 }, (_, index) => ({
    claim: claimFor('many', { index }),
    key: stranger.privateKey,
  }));
  await publishSigned('many', [...claims, { claim: claimFor('many'), key: ec.privateKey }]);
  registry.requests.length = 0;
  expect(await failureOf(check('many'))).toMatchObject({ code: 'signature-refused' });
  expect(registry.requests.length).toBeLessThan(70);
});

test('signedAs names the repository that the signatures are for', async () => {
  await publishSigned('mirrored', [{ claim: makeClaim('vendor.test/app', digest), key: ec.privateKey }]);
  await check('mirrored', { signedAs: 'vendor.test/app' });
  expect(String(await failureOf(check('mirrored')))).toContain('is for "vendor.test/app"');
});

test('a registry that fails is no registry without signatures', async () => {
  await publish('failing', '1', image);
  registry.fault = ({ path }) => (path.includes('.sig') ? { kind: 'answer', status: 403 } : undefined);
  expect(await failureOf(check('failing'))).toMatchObject({ code: 'registry-denied' });
  registry.fault = () => undefined;
});

const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const SIGN = 'https://sigstore.dev/cosign/sign/v1';

/** A bundle as cosign 3 makes it with a key, among the image's referrers. */
async function publishBundle(
  path: string,
  { hex = hexOf(digest), predicate = SIGN, type = 'application/vnd.in-toto+json', key = ec.privateKey } = {},
): Promise<void> {
  const statement = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: hex } }],
      predicateType: predicate,
      predicate: {},
    }),
  );
  const signed = Buffer.from(`DSSEv1 ${type.length} ${type} ${statement.length} ${statement.toString()}`);
  const envelope = {
    payload: statement.toString('base64'),
    payloadType: type,
    signatures: [{ sig: sign('sha256', signed, key).toString('base64') }],
  };
  const bundle = makeBlob(jsonBytes({ mediaType: BUNDLE_TYPE, dsseEnvelope: envelope }), BUNDLE_TYPE);
  await publish(path, '1', image);
  await publish(
    path,
    undefined,
    makeSignatureManifest([{ claim: bundle, signature: '' }], {
      subject: image.descriptor,
      artifactType: BUNDLE_TYPE,
    }),
  );
}

test('a bundle counts where the repository does not', async () => {
  await publishBundle('bundle/good');
  await check('bundle/good', { signedAs: '*' });
  expect(String(await failureOf(check('bundle/good')))).toContain('has no signature');
});

test.each([
  ['stranger', { key: stranger.privateKey }, 'is by none of the keys'],
  ['digest', { hex: '0'.repeat(64) }, 'is for another digest'],
  ['attestation', { predicate: 'https://slsa.dev/provenance/v1' }, 'is no signature of an image'],
  ['type', { type: 'text/plain' }, 'is no signature of an image'],
])('a bundle of another %s is refused', async (what, change, reason) => {
  await publishBundle(`bundle/${what}`, change);
  expect(String(await failureOf(check(`bundle/${what}`, { signedAs: '*' })))).toContain(reason);
});
