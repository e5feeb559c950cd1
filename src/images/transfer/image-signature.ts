import { type KeyObject, verify } from 'node:crypto';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { parseReference, type Reference, repositoryName } from '../../oci/reference.ts';

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
  /** The repository that the claim has to name; undefined: whichever. */
  repository: string | undefined;
}

const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
const MAX_BUNDLE_SIGNATURES = 8;
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
  return image.repository === undefined ? undefined : identityFault(claim.reference, image);
}

/**
 * The same of a bundle, cosign's newer form: an in-toto statement in a DSSE envelope, which names a digest and no repository. Its certificates and
 * log entries aren't read.
 */
export function bundleFault(
  bundle: Uint8Array,
  { digest }: Pick<SignedImage, 'digest'>,
  keys: readonly KeyObject[],
): string | undefined {
  const envelope = field(parseText(bundle), 'dsseEnvelope');
  const [type, payload] = [field(envelope, 'payloadType'), field(envelope, 'payload')];
  const signatures = field(envelope, 'signatures');
  if (type !== STATEMENT_TYPE || typeof payload !== 'string' || !Array.isArray(signatures))
    return 'is no signature of an image';
  const statement = Buffer.from(payload, 'base64');
  // What a DSSE envelope signs: its "pre-authentication encoding".
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} ${type} ${statement.length} `),
    statement,
  ]);
  const isBy = (entry: unknown): boolean => {
    const signature = Buffer.from(String(field(entry, 'sig')), 'base64');
    return keys.some((key) => isSignedBy(key, signed, signature));
  };
  if (!signatures.slice(0, MAX_BUNDLE_SIGNATURES).some(isBy)) return 'is by none of the keys';
  const claim = parseText(statement);
  if (field(claim, 'predicateType') !== SIGN_PREDICATE) return 'is no signature of an image';
  const subjects = field(claim, 'subject');
  const isFor = (subject: unknown): boolean =>
    field(field(subject, 'digest'), algorithmOf(digest)) === hexOf(digest);
  return Array.isArray(subjects) && subjects.some(isFor) ? undefined : 'is for another digest';
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
  const critical = field(parseText(payload), 'critical');
  const type = field(critical, 'type');
  const digest = field(field(critical, 'image'), 'docker-manifest-digest');
  const reference = field(field(critical, 'identity'), 'docker-reference');
  if (typeof type !== 'string' || typeof digest !== 'string' || typeof reference !== 'string')
    return undefined;
  return { type, digest, reference };
}

function parseText(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
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
