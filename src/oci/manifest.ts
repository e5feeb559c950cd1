import { EngineError } from '../errors/engine-error.ts';
import type { Descriptor } from './descriptor.ts';
import { DIGEST_FORM, isDigest } from './digest.ts';
import {
  arrayField,
  invalidField,
  isAbsent,
  type JsonObject,
  objectField,
  optionalString,
  optionalStringMap,
  optionalStrings,
  parseJsonObject,
  sizeField,
  stringField,
} from './json-fields.ts';
import { isIndexType, isManifestType, MEDIA_TYPES } from './media-types.ts';
import { decodePlatform } from './platform.ts';

/** What registries and containerd take at most. */
export const MAX_MANIFEST_BYTES = 4 << 20;
const MAX_LAYERS = 1024;
const MAX_MANIFESTS = 4096;

/** OCI image manifest or Docker schema 2 manifest, decoded and checked. */
export interface Manifest {
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
  subject?: Descriptor;
  artifactType?: string;
}

/** OCI index or Docker manifest list, decoded and checked. */
export interface Index {
  mediaType: string;
  manifests: Descriptor[];
  annotations?: Record<string, string>;
}

/**
 * Decode an image manifest. `mediaType` is what the registry or the descriptor said.
 *
 * @throws EngineError "invalid" naming the field; also on a document that could be read as an index (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  const document = parseJsonObject(bytes, 'manifest', MAX_MANIFEST_BYTES);
  checkSchema(document, 'manifest', 'manifests');
  const type = documentType(document, mediaType, 'manifest');
  if (!isManifestType(type)) throw invalidField('manifest.mediaType', 'an image manifest');
  const subject = isAbsent(document['subject'])
    ? undefined
    : decodeDescriptor(document['subject'], 'manifest.subject');
  const artifactType = optionalString(document['artifactType'], 'manifest.artifactType');
  return {
    mediaType: type,
    config: decodeDescriptor(document['config'], 'manifest.config'),
    layers: (isAbsent(document['layers'])
      ? []
      : arrayField(document['layers'], 'manifest.layers', MAX_LAYERS)
    ).map((layer, index) => decodeDescriptor(layer, `manifest.layers[${index}]`)),
    ...annotationsOf(document, 'manifest'),
    ...(subject === undefined ? {} : { subject }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** Decode an index or manifest list. @throws as `parseManifest`. */
export function parseIndex(bytes: Uint8Array, mediaType?: string): Index {
  const document = parseJsonObject(bytes, 'index', MAX_MANIFEST_BYTES);
  checkSchema(document, 'index', 'layers', 'config');
  const type = documentType(document, mediaType, 'index');
  if (!isIndexType(type)) throw invalidField('index.mediaType', 'an image index');
  return {
    mediaType: type,
    manifests: arrayField(document['manifests'], 'index.manifests', MAX_MANIFESTS).map((entry, index) =>
      decodeDescriptor(entry, `index.manifests[${index}]`),
    ),
    ...annotationsOf(document, 'index'),
  };
}

/** @throws EngineError "invalid" naming `field`. */
export function decodeDescriptor(value: unknown, field: string): Descriptor {
  const object = objectField(value, field);
  const digest = stringField(object['digest'], `${field}.digest`);
  if (!isDigest(digest)) throw invalidField(`${field}.digest`, DIGEST_FORM);
  const artifactType = optionalString(object['artifactType'], `${field}.artifactType`);
  const urls = optionalStrings(object['urls'], `${field}.urls`, 100);
  return {
    mediaType: stringField(object['mediaType'], `${field}.mediaType`),
    digest,
    size: sizeField(object['size'], `${field}.size`),
    ...(isAbsent(object['platform'])
      ? {}
      : { platform: decodePlatform(object['platform'], `${field}.platform`) }),
    ...annotationsOf(object, field),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(urls === undefined ? {} : { urls }),
  };
}

function checkSchema(document: JsonObject, name: string, ...foreign: string[]): void {
  if (document['schemaVersion'] === 1 && 'fsLayers' in document)
    throw new EngineError(
      'invalid',
      'Docker image manifest version 1 is not supported: rebuild or push the image with a current tool',
    );
  if (document['schemaVersion'] !== 2) throw invalidField(`${name}.schemaVersion`, '2');
  for (const key of foreign)
    if (!isAbsent(document[key]))
      throw new EngineError('invalid', `Invalid ${name}: it also has ${JSON.stringify(key)}`);
}

function documentType(document: JsonObject, given: string | undefined, name: string): string {
  const own = optionalString(document['mediaType'], `${name}.mediaType`);
  if (own !== undefined && own !== '' && given !== undefined && own !== given)
    throw new EngineError(
      'invalid',
      `Invalid ${name}.mediaType: ${JSON.stringify(own)} was served as ${JSON.stringify(given)}`,
    );
  const type = own === undefined || own === '' ? given : own;
  return type ?? (name === 'index' ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest);
}

function annotationsOf(object: JsonObject, field: string): { annotations?: Record<string, string> } {
  const annotations = optionalStringMap(object['annotations'], `${field}.annotations`);
  return annotations === undefined ? {} : { annotations };
}
