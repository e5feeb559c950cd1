import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DistributionManifest } from '../../client/model.ts';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { stringifyJson } from '../../wire/json.ts';
import { replaceFile } from '../replace-file.ts';

/** An image of a list, with what was annotated. */
export type ListedManifest = Pick<DistributionManifest, 'Ref' | 'Descriptor' | 'Raw'>;

/**
 * Lists of manifests that are made here before they are pushed: `manifests/<list>/<image>` below the folder of the client's configuration, as Docker's
 * client lays them out, so that either goes on with the other's.
 */
export class ManifestStore {
  readonly #folder: string;

  constructor(configDirectory: string) {
    this.#folder = join(configDirectory, 'manifests');
  }

  /** The images of a list, in the order of their files' names as Docker has them; undefined: there is no such list. */
  async list(list: string): Promise<ListedManifest[] | undefined> {
    const names = await this.#names(list);
    if (names === undefined) return undefined;
    const found: ListedManifest[] = [];
    for (const name of names.filter((each) => !each.endsWith(UNFINISHED)).toSorted())
      found.push(decode(await readFile(join(this.#path(list), name), 'utf8'), join(this.#path(list), name)));
    return found;
  }

  async get(list: string, image: string): Promise<ListedManifest | undefined> {
    const path = join(this.#path(list), fileName(image));
    try {
      return decode(await readFile(path, 'utf8'), path);
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  async put(list: string, manifest: ListedManifest): Promise<void> {
    await mkdir(this.#path(list), { recursive: true, mode: 0o755 });
    await replaceFile(join(this.#path(list), fileName(manifest.Ref)), storedText(manifest));
  }

  /** Resolves to whether there was one. */
  async remove(list: string): Promise<boolean> {
    if ((await this.#names(list)) === undefined) return false;
    await rm(this.#path(list), { recursive: true, force: true });
    return true;
  }

  async #names(list: string): Promise<string[] | undefined> {
    try {
      return await readdir(this.#path(list));
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #path(list: string): string {
    return join(this.#folder, fileName(list));
  }
}

/** What `replaceFile` calls a file before it is whole. */
const UNFINISHED = '.tmp';

/** References have no other characters that mean something to a path; `..` is none. */
function fileName(reference: string): string {
  return reference.replaceAll(':', '-').replaceAll('/', '_');
}

/** As Docker's client writes it: the manifest stands in it a second time, decoded. */
export function storedText({ Ref, Descriptor, Raw }: ListedManifest): string {
  const head = stringifyJson({ Ref, Descriptor, Raw }, { escapeHtml: true });
  const key = Descriptor.mediaType.startsWith('application/vnd.oci.') ? 'OCIManifest' : 'SchemaV2Manifest';
  return `${head.slice(0, -1)},"${key}":${decodeRaw(Raw)}}`;
}

export function decodeRaw(raw: string): string {
  return Buffer.from(raw, 'base64').toString();
}

function decode(text: string, path: string): ListedManifest {
  try {
    const { Ref, Descriptor, Raw } = JSON.parse(text) as ListedManifest;
    const { mediaType, digest, size } = Descriptor;
    if ([Ref, Raw, mediaType, digest].every((each) => typeof each === 'string') && Number.isSafeInteger(size))
      return { Ref, Descriptor, Raw };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw new EngineError('invalid', `Cannot read ${JSON.stringify(path)}: it is no image of a manifest list`, {
    hint: "Remove the list with 'manifest rm' and make it anew.",
  });
}
