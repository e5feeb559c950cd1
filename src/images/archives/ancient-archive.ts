import { EngineError } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import {
  type JsonObject,
  objectField,
  optionalObject,
  optionalString,
  optionalStrings,
  parseJsonObject,
  stringField,
} from '../../oci/json-fields.ts';
import { MEDIA_TYPES } from '../../oci/media-types.ts';
import { parseReference, withTag } from '../../oci/reference.ts';
import { type ArchivedImage, ArchivedLayers, writeBlob, writeDockerManifest } from './docker-manifest.ts';
import { type ArchivePorts, fileAt, type ReceivedArchive, readFileAt } from './received-archive.ts';

const MAX_PARENTS = 1024;
const MAX_NAMES = 4096;
const LAYER_ID = /^[0-9a-f]{64}$/;

/**
 * Images as Docker before 1.10 saved them: `repositories` names top layers, each layer is `<id>/json` with its parent's id and `<id>/layer.tar`.
 *
 * @throws EngineError "invalid" or "not-found".
 */
export async function ancientImages(archive: ReceivedArchive, ports: ArchivePorts): Promise<ArchivedImage[]> {
  const bytes = await readFileAt(archive, 'repositories', {
    content: ports.content,
    maxBytes: MAX_CONFIG_BYTES,
  });
  const repositories = parseJsonObject(bytes, 'repositories', MAX_CONFIG_BYTES);
  const names = Object.entries(repositories).flatMap(([repository, tags]) =>
    Object.entries(objectField(tags, `repositories[${JSON.stringify(repository)}]`)).map(([tag, id]) => ({
      reference: withTag(parseReference(repository), tag),
      id: stringField(id, `repositories[${JSON.stringify(repository)}][${JSON.stringify(tag)}]`),
    })),
  );
  if (names.length > MAX_NAMES)
    throw new EngineError('invalid', `Cannot load archive: more than ${MAX_NAMES} names`);
  const source = { archive, ports, layers: new ArchivedLayers(archive, ports), documents: new Map() };
  const images = new Map<Digest, ArchivedImage>();
  const made = new Map<string, Descriptor>();
  for (const { reference, id } of names) {
    const root = made.get(id) ?? (await makeImage(id, source));
    made.set(id, root);
    const image = images.get(root.digest) ?? { root, names: [] };
    image.names.push(reference);
    images.set(root.digest, image);
  }
  return [...images.values()];
}

interface Source {
  archive: ReceivedArchive;
  ports: ArchivePorts;
  layers: ArchivedLayers;
  /** By layer, as read. */
  documents: Map<string, JsonObject>;
}

async function makeImage(top: string, source: Source): Promise<Descriptor> {
  const { ports } = source;
  const chain = await parentChain(top, source);
  const layers: Descriptor[] = [];
  for (const { id } of chain) {
    const layer = await source.layers.at(`${id}/layer.tar`);
    if (layer.mediaType !== MEDIA_TYPES.dockerLayer)
      throw new EngineError('invalid', `Cannot load archive: ${id}/layer.tar is compressed`);
    layers.push(layer);
  }
  const document = chain.at(-1)?.document ?? {};
  const config = {
    ...Object.fromEntries(Object.entries(document).filter(([key]) => !V1_FIELDS.has(key))),
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: chain.map(({ document: layer }) => historyOf(layer)),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  return await writeDockerManifest(
    { config: await writeBlob(bytes, MEDIA_TYPES.dockerConfig, ports), layers },
    ports,
  );
}

/** What only the old format's bookkeeping needed. */
const V1_FIELDS = new Set([
  'id',
  'parent',
  'Size',
  'parent_id',
  'layer_id',
  'throwaway',
  'rootfs',
  'history',
]);

/** Bottom first. */
async function parentChain(top: string, source: Source): Promise<{ id: string; document: JsonObject }[]> {
  const chain: { id: string; document: JsonObject }[] = [];
  const seen = new Set<string>();
  for (let id: string | undefined = top; id !== undefined && id !== ''; ) {
    if (!LAYER_ID.test(id)) throw new EngineError('invalid', `Invalid layer id ${JSON.stringify(id)}`);
    if (seen.has(id) || seen.size === MAX_PARENTS)
      throw new EngineError('invalid', `Cannot load archive: the parents of ${top} have no end`);
    seen.add(id);
    const document = source.documents.get(id) ?? (await readLayer(id, source));
    source.documents.set(id, document);
    chain.unshift({ id, document });
    id = optionalString(document['parent'], `${id}/json.parent`);
  }
  return chain;
}

async function readLayer(id: string, { archive, ports }: Source): Promise<JsonObject> {
  ports.signal.throwIfAborted();
  if (fileAt(archive, `${id}/json`) === undefined)
    throw new EngineError('not-found', `Cannot load archive: layer ${id} is missing`);
  const { content } = ports;
  const bytes = await readFileAt(archive, `${id}/json`, { content, maxBytes: MAX_CONFIG_BYTES });
  return parseJsonObject(bytes, `${id}/json`, MAX_CONFIG_BYTES);
}

function historyOf(document: JsonObject): object {
  const command = optionalStrings(
    optionalObject(document['container_config'], 'json.container_config')?.['Cmd'],
    'json.container_config.Cmd',
  );
  const text = (key: string): string | undefined => optionalString(document[key], `json.${key}`) || undefined;
  return {
    created: text('created'),
    author: text('author'),
    created_by: command?.join(' ') || undefined,
    comment: text('comment'),
  };
}
