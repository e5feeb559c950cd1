import type { Descriptor } from '../../oci/descriptor.ts';
import { DIGEST_FORM, type Digest, type DigestAlgorithm, digestOf, isDigest } from '../../oci/digest.ts';
import { isIndexType, isManifestType, isNonDistributable } from '../../oci/media-types.ts';
import type { StoredManifest } from './blob-backend.ts';
import { RegistryRefusal } from './refusal.ts';

export const MAX_MANIFEST_BYTES = 4 << 20;

/** What a manifest names. */
export interface ManifestLinks {
  /** Config and layers, but for those that may lie elsewhere (non-distributable). */
  blobs: ManifestLink[];
  /** An index's children. */
  manifests: ManifestLink[];
}

export interface ManifestLink {
  digest: Digest;
  /** As the manifest says. */
  size: number | undefined;
}

/**
 * Digest, media type and subject of a manifest as it was sent.
 *
 * @throws RegistryRefusal MANIFEST_INVALID
 */
export function describe(
  bytes: Uint8Array,
  contentType: string | null,
  algorithm: DigestAlgorithm = 'sha256',
): StoredManifest {
  const body = parse(bytes);
  const sent = (contentType ?? '').split(';', 1)[0]?.trim() ?? '';
  const mediaType = sent === '' ? stringOf(body['mediaType']) : sent;
  const isIndex = isIndexType(mediaType);
  if (!isIndex && !isManifestType(mediaType)) throw invalid('unsupported media type');
  if (body['schemaVersion'] !== 2) throw invalid('schemaVersion is not 2');
  if (body['mediaType'] !== undefined && body['mediaType'] !== mediaType)
    throw invalid('media type mismatch');
  if (
    isIndex
      ? !Array.isArray(body['manifests']) || 'layers' in body
      : !Array.isArray(body['layers']) || 'manifests' in body
  )
    throw invalid('neither an image nor an index');
  const subject = stringOf(recordOf(body['subject'])['digest']);
  const digest = digestOf(bytes, algorithm);
  const descriptor = withArtifact({ mediaType, digest, size: bytes.length }, body);
  return { descriptor, bytes, subject: isDigest(subject) ? subject : undefined };
}

/**
 * What a manifest that `describe` took names.
 *
 * @throws RegistryRefusal MANIFEST_INVALID for a descriptor without a digest.
 */
export function linksOf(bytes: Uint8Array): ManifestLinks {
  const body = parse(bytes);
  const children = arrayOf(body['manifests']).map(recordOf);
  if ('manifests' in body) return { blobs: [], manifests: children.map(linkOf) };
  const blobs = [body['config'], ...arrayOf(body['layers'])].map(recordOf);
  const here = blobs.filter((blob) => !isNonDistributable(stringOf(blob['mediaType'])));
  return { blobs: here.map(linkOf), manifests: [] };
}

function linkOf(descriptor: Record<string, unknown>): ManifestLink {
  const digest = stringOf(descriptor['digest']);
  if (!isDigest(digest)) throw invalid(`a descriptor has no digest (${DIGEST_FORM})`);
  const size = descriptor['size'];
  return { digest, size: Number.isSafeInteger(size) && Number(size) >= 0 ? Number(size) : undefined };
}

/** As `referrers` must list it: the artifact's type, or that of the config, and the annotations. */
function withArtifact(descriptor: Descriptor, body: Record<string, unknown>): Descriptor {
  const artifactType = stringOf(body['artifactType']) || stringOf(recordOf(body['config'])['mediaType']);
  const annotations = Object.entries(recordOf(body['annotations'])).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return {
    ...descriptor,
    ...(artifactType === '' ? {} : { artifactType }),
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    return recordOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    throw invalid('manifest is no JSON');
  }
}

function invalid(reason: string): RegistryRefusal {
  return new RegistryRefusal(400, 'MANIFEST_INVALID', 'manifest invalid', { detail: reason });
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function arrayOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
