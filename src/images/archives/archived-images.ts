import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import {
  arrayField,
  isAbsent,
  objectField,
  optionalStrings,
  parseJsonObject,
  stringField,
} from '../../oci/json-fields.ts';
import { MAX_MANIFEST_BYTES, parseIndex } from '../../oci/manifest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import { ancientImages } from './ancient-archive.ts';
import { type ArchivedImage, ArchivedLayers, writeBlob, writeDockerManifest } from './docker-manifest.ts';
import { type ArchivePorts, type ReceivedArchive, readFileAt } from './received-archive.ts';

const MAX_IMAGES = 4096;

/**
 * What images an archive holds: by its OCI layout, else by Docker's `manifest.json`, else by the `repositories` of Docker before 1.10. For the latter two
 * manifests are made, as containerd makes them: the same archive gets the same ID.
 *
 * @throws EngineError "invalid" for what is no archive of images, or contradicts itself; "not-found" naming a file that is missing.
 */
export async function archivedImages(
  archive: ReceivedArchive,
  ports: ArchivePorts,
): Promise<ArchivedImage[]> {
  if (archive.files.has('oci-layout')) return await layoutImages(archive, ports);
  if (archive.files.has('manifest.json')) return await legacyImages(archive, ports);
  if (archive.files.has('repositories')) return await ancientImages(archive, ports);
  throw new EngineError('invalid', 'unrecognized image format', {
    hint: 'An archive of images has an index.json with oci-layout, or a manifest.json. What `docker export` writes is for `docker import`.',
  });
}

async function layoutImages(archive: ReceivedArchive, { content }: ArchivePorts): Promise<ArchivedImage[]> {
  const read = (path: string): Promise<Uint8Array> =>
    readFileAt(archive, path, { content, maxBytes: MAX_MANIFEST_BYTES });
  const layout = parseJsonObject(await read('oci-layout'), 'oci-layout', 4096);
  const version = stringField(layout['imageLayoutVersion'], 'oci-layout.imageLayoutVersion');
  if (version !== '1.0.0') throw new EngineError('invalid', `unsupported OCI version ${version}`);
  // The index of a layout may say anything of its own type.
  const index = parseIndex(await read('index.json'), MEDIA_TYPES.ociIndex);
  const images = new Map<Digest, ArchivedImage>();
  for (const descriptor of index.manifests) {
    const { annotations, ...root } = descriptor;
    const name =
      annotations?.['io.containerd.image.name'] || annotations?.['org.opencontainers.image.ref.name'] || '';
    addName(images, root, nameOf(name));
  }
  return [...images.values()];
}

function addName(
  images: Map<Digest, ArchivedImage>,
  root: Descriptor,
  reference: Reference | undefined,
): void {
  const image = images.get(root.digest) ?? { root, names: [] };
  images.set(root.digest, image);
  // What names it by a digest has to mean this one.
  if (reference !== undefined && (reference.digest ?? root.digest) === root.digest)
    image.names.push(reference);
}

/** A name that isn't one leaves the image without: Docker's way. */
function nameOf(text: string): Reference | undefined {
  try {
    return text === '' ? undefined : withDefaultTag(parseReference(text));
  } catch {
    return undefined;
  }
}

async function legacyImages(archive: ReceivedArchive, ports: ArchivePorts): Promise<ArchivedImage[]> {
  const bytes = await readFileAt(archive, 'manifest.json', {
    content: ports.content,
    maxBytes: MAX_MANIFEST_BYTES,
  });
  // parseJsonObject wants an object; this document is a list.
  const wrapped = parseJsonObject(
    Buffer.concat([Buffer.from('{"manifest":'), bytes, Buffer.from('}')]),
    'manifest.json',
    MAX_MANIFEST_BYTES + 16,
  );
  const images = new Map<Digest, ArchivedImage>();
  const archivedLayers = new ArchivedLayers(archive, ports);
  const entries = isAbsent(wrapped['manifest'])
    ? []
    : arrayField(wrapped['manifest'], 'manifest.json', MAX_IMAGES);
  for (const [at, entry] of entries.entries()) {
    const field = `manifest.json[${at}]`;
    const object = objectField(entry, field);
    const configPath = stringField(object['Config'], `${field}.Config`);
    const layerPaths = optionalStrings(object['Layers'], `${field}.Layers`, 1024) ?? [];
    const config = await configBlob(archive, configPath, ports);
    const layers: Descriptor[] = [];
    for (const path of layerPaths) layers.push(await archivedLayers.at(path));
    const root = await writeDockerManifest({ config, layers }, ports);
    const tags = optionalStrings(object['RepoTags'], `${field}.RepoTags`, MAX_IMAGES) ?? [];
    if (tags.length === 0) addName(images, root, undefined);
    for (const tag of tags) {
      const reference = nameOf(tag);
      if (reference === undefined || reference.digest !== undefined)
        throw new EngineError('invalid', `invalid tag ${JSON.stringify(tag)} in manifest.json`);
      addName(images, root, reference);
    }
  }
  return [...images.values()];
}

async function configBlob(archive: ReceivedArchive, path: string, ports: ArchivePorts): Promise<Descriptor> {
  const bytes = await readFileAt(archive, path, {
    content: ports.content,
    maxBytes: MAX_CONFIG_BYTES,
  });
  return await writeBlob(bytes, MEDIA_TYPES.dockerConfig, ports);
}
