import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import { familiarRepository, type Reference } from '../../oci/reference.ts';
import type { Attestation } from '../export/image-documents.ts';

/** What a statement is about: a manifest under its names. */
export interface Subject {
  references: readonly Reference[];
  platform: Platform;
  manifest: Descriptor;
  /** Of an output that is a tree: its files, and no manifest. */
  files?: readonly AttestedFile[];
}

export interface AttestedFile {
  name: string;
  digest: Digest;
}

/** An in-toto statement, v0.1, as BuildKit writes them. */
export function statementOf(predicateType: string, predicate: object, about: Subject): Attestation {
  const subject = subjectsOf(about);
  const statement = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, subject, predicate };
  return { predicateType, bytes: new TextEncoder().encode(JSON.stringify(statement, undefined, 2)) };
}

function subjectsOf({ references, platform, manifest, files }: Subject): object[] {
  if (files !== undefined) return files.map(({ name, digest }) => ({ name, digest: byAlgorithm(digest) }));
  const digest = byAlgorithm(manifest.digest);
  return references.length === 0
    ? [{ name: '_', digest }]
    : references.map((reference) => ({ name: packageUrl(reference, platform), digest }));
}

function byAlgorithm(digest: Digest): Record<string, string> {
  return { [algorithmOf(digest)]: hexOf(digest) };
}

/** An image's name as a package URL: `pkg:docker/alpine@3.20?platform=linux%2Famd64`. */
export function packageUrl(reference: Reference, platform: Platform): string {
  const name = familiarRepository(reference);
  const version = reference.tag ?? reference.digest;
  const at = version === undefined ? '' : `@${encodeURIComponent(version)}`;
  return `pkg:docker/${name}${at}?platform=${encodeURIComponent(formatPlatform(platform))}`;
}

/** The same of an image of an OCI layout: `pkg:oci/base?digest=sha256:…&platform=linux%2Famd64`. */
export function layoutUrl(reference: Reference, platform: Platform): string {
  const { tag, digest = '' } = reference;
  const at = tag === undefined ? '' : `@${encodeURIComponent(tag)}`;
  return `pkg:oci/${familiarRepository(reference)}${at}?digest=${digest}&platform=${encodeURIComponent(formatPlatform(platform))}`;
}
