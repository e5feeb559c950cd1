import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../../errors/engine-error.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { MAX_MANIFEST_BYTES, parseIndex } from '../../../oci/manifest.ts';
import { MEDIA_TYPES } from '../../../oci/media-types.ts';
import { reasonOf } from '../save-output.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

/**
 * What an OCI layout's index has under a name: an image's whole name, or a tag.
 *
 * @throws EngineError "invalid" for an index that can't be read.
 */
export async function findInLayout(directory: string, name: string): Promise<Descriptor | undefined> {
  const { manifests } = await readIndex(directory);
  return [IMAGE_NAME, REF_NAME]
    .map((annotation) => manifests.find(({ annotations }) => annotations?.[annotation] === name))
    .find((found) => found !== undefined);
}

/** The same, or the only thing that there is. */
export async function findOrSingle(directory: string, name: string): Promise<Descriptor | undefined> {
  const { manifests } = await readIndex(directory);
  return (await findInLayout(directory, name)) ?? (manifests.length === 1 ? manifests[0] : undefined);
}

/** Put something that is in the layout under a tag; what had the tag before hasn't any more. */
export async function tagInLayout(directory: string, descriptor: Descriptor, tag: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const known = (await readIfThere(directory)) ?? { manifests: [] };
  const others = known.manifests.filter(
    ({ annotations }) => annotations?.[REF_NAME] !== tag || annotations[IMAGE_NAME] !== undefined,
  );
  const manifests = [...others, { ...descriptor, annotations: { [REF_NAME]: tag } }];
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
  const path = join(directory, 'index.json');
  await writeFile(`${path}.new`, JSON.stringify(index));
  await rename(`${path}.new`, path);
}

async function readIndex(directory: string): Promise<{ manifests: Descriptor[] }> {
  const path = join(directory, 'index.json');
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_MANIFEST_BYTES) throw new EngineError('invalid', `${path} is too large`);
    return parseIndex(bytes);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError('invalid', `could not read ${path}: open ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function readIfThere(directory: string): Promise<{ manifests: Descriptor[] } | undefined> {
  try {
    return await readIndex(directory);
  } catch (error) {
    if (error instanceof EngineError && errnoCodeOf(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}
