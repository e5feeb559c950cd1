import { createHash } from 'node:crypto';
import { EngineError } from '../errors/engine-error.ts';

/** `sha256:<64 hex>`, or sha384 and sha512 as long as theirs: the digest of bytes as they are stored or sent. */
export type Digest = string & { readonly __brand: 'Digest' };
/** The digest of a layer's uncompressed tar; always sha256. */
export type DiffId = string & { readonly __brand: 'DiffId' };
/** The identity of a stack of layers (OCI image spec, "Layer ChainID"); always sha256. */
export type ChainId = string & { readonly __brand: 'ChainId' };

/** Those that Docker takes: OCI's registered ones without blake3, and sha384. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

const HEX_DIGITS: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 };
const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;

export const DIGEST_ALGORITHMS = Object.keys(HEX_DIGITS) as DigestAlgorithm[];

/** For messages: what a digest has to look like. */
export const DIGEST_FORM = 'sha256:<64 hex digits>, or sha384 or sha512 with theirs';

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** What `hexOf` took the algorithm from: the lengths differ. Undefined for anything else. */
export function digestOfHex(hex: string): Digest | undefined {
  const algorithm = DIGEST_ALGORITHMS.find((one) => HEX_DIGITS[one] === hex.length);
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

/** @throws EngineError "invalid" unless `text` is an algorithm's name and its number of lower-case hex digits. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text))
    throw new EngineError('invalid', `Invalid digest ${JSON.stringify(text)}: expected ${DIGEST_FORM}`);
  return text;
}

/** @throws EngineError "invalid" on anything but a sha256 digest: layers are known by no other. */
export function parseDiffId(text: string): DiffId {
  if (!isDigest(text) || algorithmOf(text) !== 'sha256')
    throw new EngineError(
      'invalid',
      `Invalid diff id ${JSON.stringify(text)}: expected sha256:<64 hex digits>`,
    );
  return text as string as DiffId;
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** The hex part, which names files in the stores. */
export function hexOf(digest: Digest | DiffId | ChainId): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The digest of small bytes. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

/** Whether small bytes are the digest's. */
export function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}
