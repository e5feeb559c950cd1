import { stringifyJson } from '../../wire/json.ts';
import type { OciDescriptor, OciPlatform } from '../../wire/oci-descriptor.ts';
import { indentJson } from '../output/indent-json.ts';

const LIST_TYPE = 'application/vnd.docker.distribution.manifest.list.v2+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/** As Docker's client has it, the first image decides. */
export function listType([first]: readonly Pick<OciDescriptor, 'mediaType'>[]): string {
  return first?.mediaType === 'application/vnd.oci.image.manifest.v1+json' ? INDEX_TYPE : LIST_TYPE;
}

/** A list's JSON as Docker's client writes it, byte by byte: what it shows, and what it pushes. */
export function listText(
  entries: readonly Pick<
    OciDescriptor,
    'mediaType' | 'size' | 'digest' | 'urls' | 'annotations' | 'platform'
  >[],
  mediaType = listType(entries),
): string {
  const list = {
    schemaVersion: 2,
    mediaType,
    manifests: entries.map(({ mediaType: type, size, digest, urls, annotations, platform }) => ({
      mediaType: type,
      size,
      digest,
      ...(urls === undefined ? {} : { urls }),
      ...(annotations === undefined ? {} : { annotations }),
      platform: platformFields(platform),
    })),
  };
  return indentJson(stringifyJson(list, { escapeHtml: true }), { indent: '   ' });
}

function platformFields(platform: OciPlatform = { architecture: '', os: '' }): OciPlatform {
  const { architecture, os, variant } = platform;
  const { 'os.version': version, 'os.features': features } = platform;
  return {
    architecture,
    os,
    ...(version === undefined ? {} : { 'os.version': version }),
    ...(features === undefined ? {} : { 'os.features': features }),
    ...(variant === undefined ? {} : { variant }),
  };
}
