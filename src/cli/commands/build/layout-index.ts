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

/** A tag, or an image's whole name with its own tag. */
export type LayoutName = { tag: string } | { image: string; tag: string };

/** Put something that is in the layout under a name; what had the name before hasn't any more. */
export async function nameInLayout(
  directory: string,
  descriptor: Descriptor,
  names: readonly LayoutName[],
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  let manifests = (await readIfThere(directory))?.manifests ?? [];
  for (const name of names) {
    const own: Record<string, string> = {
      ...('image' in name ? { [IMAGE_NAME]: name.image } : {}),
      [REF_NAME]: name.tag,
    };
    const isOther = ({ annotations = {} }: Descriptor): boolean =>
      [IMAGE_NAME, REF_NAME].some((key) => (annotations[key] ?? '') !== (own[key] ?? ''));
    const annotations = { ...descriptor.annotations, ...own };
    manifests = [...manifests.filter(isOther), { ...descriptor, annotations }];
  }
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
