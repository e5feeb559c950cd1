import { type KeyObject, verify } from 'node:crypto';
import type { Digest } from '../oci/digest.ts';
import { parseReference, type Reference, repositoryName } from '../oci/reference.ts';

/** A signature as cosign stores it: over these very bytes, a claim in JSON ("simple signing"). */
export interface ImageSignature {
  payload: Uint8Array;
  signature: Uint8Array;
}

/** What a signature has to say. */
export interface SignedImage {
  /** As it is asked for: tag, digest, or both. */
  reference: Reference;
  digest: Digest;
  /** The repository that the claim has to name. */
  repository: string;
}

const CLAIM_TYPE = 'cosign container image signature';

/** Why a signature doesn't stand for an image; undefined where it does. The claim is not looked into before one of the keys is seen to have signed it. */
export function signatureFault(
  { payload, signature }: ImageSignature,
  image: SignedImage,
  keys: readonly KeyObject[],
): string | undefined {
  if (!keys.some((key) => isSignedBy(key, payload, signature))) return 'is by none of the keys';
  const claim = parseClaim(payload);
  if (claim?.type !== CLAIM_TYPE) return 'is no signature of an image';
  if (claim.digest !== image.digest) return `is for ${quoted(claim.digest)}`;
  return identityFault(claim.reference, image);
}

function isSignedBy(key: KeyObject, payload: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, signature);
  } catch {
    // Of another form than the key's.
    return false;
  }
}

/** A signature is for a repository; for a tag only where it names one and one was asked for. */
function identityFault(name: string, { reference, repository }: SignedImage): string | undefined {
  let signed: Reference;
  try {
    signed = parseReference(name);
  } catch {
    return `names no repository (${quoted(name)})`;
  }
  const isForTag = signed.tag !== undefined && reference.tag !== undefined && reference.digest === undefined;
  if (repositoryName(signed) !== repository || (isForTag && signed.tag !== reference.tag))
    return `is for ${quoted(name)}`;
  return undefined;
}

function parseClaim(payload: Uint8Array): { type: string; digest: string; reference: string } | undefined {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
  const critical = field(document, 'critical');
  const type = field(critical, 'type');
  const digest = field(field(critical, 'image'), 'docker-manifest-digest');
  const reference = field(field(critical, 'identity'), 'docker-reference');
  if (typeof type !== 'string' || typeof digest !== 'string' || typeof reference !== 'string')
    return undefined;
  return { type, digest, reference };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

const SHOWN_CHARACTERS = 200;

/** Somebody else's text in a message: short, and nothing that commands a terminal. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
}
