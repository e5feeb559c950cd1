import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf, hasDigest, isDigest } from '../../oci/digest.ts';
import { familiarName, type Reference } from '../../oci/reference.ts';
import { syntaxReason } from './loose-json.ts';

export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
export const MAX_MANIFEST_BYTES = 4 << 20;
const INDEX_TYPES = new Set([MANIFEST_TYPES[0], MANIFEST_TYPES[2]]);
const SCHEMA1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

/** What an HTTP response said about the manifest that it brought. */
export interface ManifestClaim {
  reference: Reference;
  contentType: string | null;
  /** Docker-Content-Digest. */
  digest: string | null;
}

/**
 * Check what a registry sent before anybody reads it: the digest that was asked for or promised, and one media type that
 * header, body and shape agree on.
 *
 * @throws EngineError "invalid" (code digest-mismatch for a wrong digest); "unavailable" when it isn't a manifest at all.
 */
export function checkManifest(bytes: Uint8Array, claim: ManifestClaim): Descriptor {
  const body = parseBody(bytes);
  const promised =
    claim.reference.digest ?? (claim.digest !== null && isDigest(claim.digest) ? claim.digest : undefined);
  if (promised !== undefined && !hasDigest(bytes, promised))
    throw new EngineError('invalid', `manifest verification failed for digest ${promised}`, {
      code: 'digest-mismatch',
    });
  return { mediaType: mediaTypeOf(body, claim), digest: promised ?? digestOf(bytes), size: bytes.length };
}

function parseBody(bytes: Uint8Array): Record<string, unknown> {
  const text = new TextDecoder().decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw notAManifest(`error unmarshalling content: ${syntaxReason(text)}`, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw notAManifest('error unmarshalling content: a manifest is a JSON object');
  return value as Record<string, unknown>;
}

function mediaTypeOf(body: Record<string, unknown>, { contentType, reference }: ManifestClaim): string {
  const sent = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const inside = typeof body['mediaType'] === 'string' ? body['mediaType'] : undefined;
  if (SCHEMA1.test(sent) || SCHEMA1.test(inside ?? '') || body['schemaVersion'] === 1)
    throw schema1(reference);
  if (body['schemaVersion'] !== 2)
    throw notAManifest('error unmarshalling content: it has no schemaVersion 2');
  const known = MANIFEST_TYPES.includes(sent);
  if (known && inside !== undefined && inside !== sent)
    throw new EngineError(
      'invalid',
      `Cannot read the manifest of ${familiarName(reference)}: it says ${JSON.stringify(inside.slice(0, 100))}, the registry ${sent}`,
    );
  const type = known ? sent : (inside ?? typeFromShape(body));
  if (!MANIFEST_TYPES.includes(type))
    throw new EngineError('invalid', `unsupported manifest media type ${JSON.stringify(type.slice(0, 100))}`);
  refuseAmbiguity(body, INDEX_TYPES.has(type));
  return type;
}

/** OCI documents may leave their media type out. */
function typeFromShape(body: Record<string, unknown>): string {
  return (Array.isArray(body['manifests']) ? MANIFEST_TYPES[0] : MANIFEST_TYPES[1]) ?? '';
}

/** A document that is both, or the other one, means different things to different readers (CVE-2021-41190). */
function refuseAmbiguity(body: Record<string, unknown>, isIndex: boolean): void {
  const ambiguous = isIndex
    ? body['config'] !== undefined || body['layers'] !== undefined || body['fsLayers'] !== undefined
    : body['manifests'] !== undefined || body['fsLayers'] !== undefined;
  if (ambiguous)
    throw new EngineError('invalid', 'Cannot read the manifest: it could be an index or an image');
}

function schema1(reference: Reference): EngineError {
  return new EngineError(
    'invalid',
    `Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported. Suggest the author of ${familiarName(reference)} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2.`,
  );
}

function notAManifest(message: string, cause?: unknown): EngineError {
  return new EngineError('unavailable', message, { code: 'registry-unreachable', cause });
}
