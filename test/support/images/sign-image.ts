import { type KeyObject, sign } from 'node:crypto';
import type { Digest } from '../../../src/oci/digest.ts';
import { MEDIA_TYPES } from '../../../src/oci/media-types.ts';
import { jsonBytes, type MadeBlob, makeBlob } from './image-maker.ts';

export const CLAIM_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** One signature as `cosign sign --key` makes it. */
export interface MadeSignature {
  claim: MadeBlob;
  /** base64. */
  signature: string;
}

/** What cosign claims; `change` lies. */
export function makeClaim(repository: string, digest: string, change: object = {}): Uint8Array {
  return jsonBytes({
    critical: {
      identity: { 'docker-reference': repository },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
      ...change,
    },
    optional: null,
  });
}

export function signClaim(claim: Uint8Array, key: KeyObject): MadeSignature {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return { claim: makeBlob(claim, CLAIM_TYPE), signature: sign(algorithm, claim, key).toString('base64') };
}

/** The tag that cosign gives to the signatures of a digest. */
export function signatureTag(digest: Digest): string {
  return `${digest.replace(':', '-')}.sig`;
}

/** A manifest of signatures, to be published under `signatureTag`, or with a subject as its referrer. */
export function makeSignatureManifest(
  signatures: readonly MadeSignature[],
  more: { subject?: MadeBlob['descriptor']; artifactType?: string } = {},
): MadeBlob & { blobs: MadeBlob[]; manifests: MadeBlob[] } {
  const config = makeBlob(jsonBytes({}), MEDIA_TYPES.ociConfig);
  const layers = signatures.map(({ claim, signature }) => ({
    ...claim.descriptor,
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  }));
  const manifest = makeBlob(
    jsonBytes({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: config.descriptor,
      layers,
      ...more,
    }),
    MEDIA_TYPES.ociManifest,
  );
  return { ...manifest, blobs: [config, ...signatures.map(({ claim }) => claim)], manifests: [manifest] };
}
