import { type Compression, detectCompression } from '../../archive/compression.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import type { Reference } from '../../oci/reference.ts';
import { type ArchivePorts, fileAt, type ReceivedArchive, type ReceivedFile } from './received-archive.ts';

/** An image that an archive offers. */
export interface ArchivedImage {
  root: Descriptor;
  /** Empty: it has none. */
  names: Reference[];
}

/** Of all images of one archive together; a thousand images of a hundred layers have fewer. */
const MAX_LAYERS = 131_072;

/** The layers of an archive as its images name them, by path: one that many images share is looked at once. */
export class ArchivedLayers {
  readonly #archive: ReceivedArchive;
  readonly #ports: ArchivePorts;
  readonly #known = new Map<ReceivedFile, Descriptor>();
  #asked = 0;

  constructor(archive: ReceivedArchive, ports: ArchivePorts) {
    this.#archive = archive;
    this.#ports = ports;
  }

  /** @throws EngineError "not-found" where the archive hasn't got the layer, "invalid" where its images have too many together. */
  async at(path: string): Promise<Descriptor> {
    this.#ports.signal.throwIfAborted();
    if (++this.#asked > MAX_LAYERS)
      throw new EngineError('invalid', `Cannot load archive: its images have more than ${MAX_LAYERS} layers`);
    const file = fileAt(this.#archive, path);
    if (file === undefined)
      throw new EngineError('not-found', `Cannot load archive: layer ${JSON.stringify(path)} is missing`);
    const descriptor = this.#known.get(file) ?? (await this.#describe(file));
    this.#known.set(file, descriptor);
    return descriptor;
  }

  async #describe(file: ReceivedFile): Promise<Descriptor> {
    if (file.kind === 'document')
      return await writeBlob(file.bytes, layerType(detectCompression(file.bytes)), this.#ports);
    const { digest, size, compression } = file;
    return { mediaType: layerType(compression), digest, size };
  }
}

function layerType(compression: Compression): string {
  return compression === 'none' ? MEDIA_TYPES.dockerLayer : MEDIA_TYPES.dockerLayerGzip;
}

/** The manifest that containerd makes of an archive without one, to the byte. */
export async function writeDockerManifest(
  { config, layers }: { config: Descriptor; layers: Descriptor[] },
  ports: ArchivePorts,
): Promise<Descriptor> {
  const plain = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifest,
    config: plain(config),
    layers: layers.map(plain),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  return await writeBlob(bytes, MEDIA_TYPES.dockerManifest, ports);
}

/** Store made or found JSON. */
export async function writeBlob(
  bytes: Uint8Array,
  mediaType: string,
  { content, hold }: ArchivePorts,
): Promise<Descriptor> {
  const digest = digestOf(bytes);
  await hold(digest);
  await content.write(bytes, digest);
  return { mediaType, digest, size: bytes.length };
}
