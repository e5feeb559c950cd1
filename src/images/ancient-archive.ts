import { EngineError } from '../errors/engine-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MAX_CONFIG_BYTES } from '../oci/image-config.ts';
import {
  type JsonObject,
  objectField,
  optionalObject,
  optionalString,
  optionalStrings,
  parseJsonObject,
  stringField,
} from '../oci/json-fields.ts';
import { MEDIA_TYPES } from '../oci/media-types.ts';
import { parseReference, withTag } from '../oci/reference.ts';
import {
  type ArchivedImage,
  type ArchivePorts,
  layerBlob,
  writeBlob,
  writeDockerManifest,
} from './docker-manifest.ts';
import { fileAt, type ReceivedArchive, readFileAt } from './received-archive.ts';

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
  const images = new Map<Digest, ArchivedImage>();
  const made = new Map<string, Descriptor>();
  for (const { reference, id } of names) {
    const root = made.get(id) ?? (await makeImage(archive, id, ports));
    made.set(id, root);
    const image = images.get(root.digest) ?? { root, names: [] };
    image.names.push(reference);
    images.set(root.digest, image);
  }
  return [...images.values()];
}

async function makeImage(archive: ReceivedArchive, top: string, ports: ArchivePorts): Promise<Descriptor> {
  const chain = await parentChain(archive, top, ports);
  const layers: Descriptor[] = [];
  for (const { id } of chain) {
    const layer = await layerBlob(archive, `${id}/layer.tar`, ports);
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
async function parentChain(
  archive: ReceivedArchive,
  top: string,
  { content }: ArchivePorts,
): Promise<{ id: string; document: JsonObject }[]> {
  const chain: { id: string; document: JsonObject }[] = [];
  const seen = new Set<string>();
  for (let id: string | undefined = top; id !== undefined && id !== ''; ) {
    if (!LAYER_ID.test(id)) throw new EngineError('invalid', `Invalid layer id ${JSON.stringify(id)}`);
    if (seen.has(id) || seen.size === MAX_PARENTS)
      throw new EngineError('invalid', `Cannot load archive: the parents of ${top} have no end`);
    seen.add(id);
    if (fileAt(archive, `${id}/json`) === undefined)
      throw new EngineError('not-found', `Cannot load archive: layer ${id} is missing`);
    const bytes = await readFileAt(archive, `${id}/json`, { content, maxBytes: MAX_CONFIG_BYTES });
    const document = parseJsonObject(bytes, `${id}/json`, MAX_CONFIG_BYTES);
    chain.unshift({ id, document });
    id = optionalString(document['parent'], `${id}/json.parent`);
  }
  return chain;
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
