import { EngineError } from '../errors/engine-error.ts';

/** `sha256:<64 hex>`: the digest of bytes as they are stored or sent. */
export type Digest = string & { readonly __brand: 'Digest' };
/** The digest of a layer's uncompressed tar. */
export type DiffId = string & { readonly __brand: 'DiffId' };
/** The identity of a stack of layers (OCI image spec, "Layer ChainID"). */
export type ChainId = string & { readonly __brand: 'ChainId' };

const DIGEST = /^sha256:[a-f0-9]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** @throws EngineError "invalid" unless `text` is `sha256:` and 64 lower-case hex digits. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text))
    throw new EngineError(
      'invalid',
      `Invalid digest ${JSON.stringify(text)}: expected sha256:<64 hex digits>`,
    );
  return text;
}

/** @throws EngineError "invalid" on anything but a sha256 digest. */
export function parseDiffId(text: string): DiffId {
  return parseDigest(text) as string as DiffId;
}

/** The hex part, which names files in the stores. */
export function hexOf(digest: Digest | DiffId | ChainId): string {
  return digest.slice('sha256:'.length);
}
