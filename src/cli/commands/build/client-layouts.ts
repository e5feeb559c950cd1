import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { BuildClient } from '../../../client/build-client.ts';
import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import { parseDigest } from '../../../oci/digest.ts';
import { decodeDescriptor } from '../../../oci/manifest.ts';
import { parseReference, withDefaultTag } from '../../../oci/reference.ts';
import type { BlobCallJson, BuildRequestJson } from '../../../wire/build.ts';
import type { CliContext } from '../../context.ts';
import type { WantedOutput } from './build-outputs.ts';
import { blobPath, blobSize, writeBlob } from './layout-blobs.ts';
import { findInLayout, findOrSingle, type LayoutName, nameInLayout } from './layout-index.ts';

type CacheEntries = BuildRequestJson['cacheFrom'];

/** The OCI layouts that a build may read and write here: caches (`type=local`) and named contexts (`oci-layout://`). */
export class ClientLayouts {
  readonly #context: CliContext;
  /** Directories by the names that the daemon calls them by. */
  readonly #readable = new Map<string, string>();
  readonly #writable = new Map<string, string>();
  /** What index gets the cache, under which tag. */
  readonly #updates: { directory: string; tag: string }[] = [];
  /** The directory that becomes an image's layout. */
  #exported: string | undefined;
  #layouts = 0;

  constructor(context: CliContext) {
    this.#context = context;
  }

  /** With the digests of those that are here; what can't be read is told of and left out. @throws EngineError "invalid" in BuildKit's words. */
  async cacheFrom(entries: CacheEntries): Promise<CacheEntries> {
    const found: CacheEntries = [];
    for (const entry of entries) {
      const opened = entry.type === 'local' ? await this.#openCache(entry.attributes) : entry.attributes;
      if (opened !== undefined) found.push({ type: entry.type, attributes: opened });
    }
    return found;
  }

  /** @throws EngineError "invalid" in BuildKit's words. */
  cacheTo(entries: CacheEntries): CacheEntries {
    for (const { type, attributes } of entries) {
      if (type !== 'local') continue;
      const { dest = '', tag = 'latest', reset } = attributes;
      if (dest === '') throw new EngineError('invalid', 'local cache exporter requires dest');
      if (reset !== undefined)
        throw new EngineError('not-implemented', 'attribute reset of cache local is not implemented');
      const directory = resolve(this.#context.cwd, dest);
      this.#writable.set(`local:${dest}`, directory);
      this.#updates.push({ directory, tag });
    }
    return entries;
  }

  /** Outputs that are layouts. @throws EngineError "invalid" in BuildKit's words. */
  outputs(wanted: readonly WantedOutput[]): void {
    for (const { layout } of wanted) {
      if (layout === undefined) continue;
      if (this.#exported !== undefined)
        throw new EngineError('invalid', 'oci store key "export" already exists');
      this.#exported = resolve(this.#context.cwd, layout);
      this.#writable.set('export', this.#exported);
    }
  }

  /** The value of a `--build-context name=oci-layout://path[:tag][@digest]`. @throws EngineError "invalid" in buildx's words. */
  async context(value: string): Promise<{ type: 'oci-layout'; reference: string }> {
    const [place = '', given] = value.slice('oci-layout://'.length).split('@', 2);
    const colon = place.indexOf(':');
    const path = colon < 0 ? place : place.slice(0, colon);
    const tag = colon < 0 ? 'latest' : place.slice(colon + 1);
    const directory = resolve(this.#context.cwd, path);
    const digest = given ?? (await resolved(value, directory, tag));
    const name = `layout${this.#layouts++}`;
    this.#readable.set(`oci:${name}`, directory);
    return { type: 'oci-layout', reference: `${name}:${tag}@${digest}` };
  }

  /** Do what the daemon asks. @throws EngineError for a layout that it was not told of, and as the files and the daemon fail. */
  async answer(call: BlobCallJson, client: BuildClient, signal: AbortSignal): Promise<void> {
    const { token, store, digest, size } = call;
    if (size === undefined) return await this.#give(call, client, signal);
    const directory = this.#writable.get(store);
    if (directory === undefined) throw unknown(store);
    if ((await blobSize(directory, digest)) === size) return await client.declineBlob(token, signal);
    const data = await client.takeBlob(token, signal);
    await writeBlob(directory, { digest: parseDigest(digest), size }, data);
  }

  /** Caches and images are whole: what the daemon said of them goes into the indexes. */
  async finish(metadata: Readonly<Record<string, string>>): Promise<void> {
    const cache = metadata['cache.manifest'];
    if (cache !== undefined)
      for (const { directory, tag } of this.#updates) await this.#name(directory, cache, [{ tag }]);
    const image = metadata['containerimage.descriptor'];
    if (this.#exported === undefined || image === undefined) return;
    const names = (metadata['image.name'] ?? '').split(',').filter(Boolean);
    const text = Buffer.from(image, 'base64').toString('utf8');
    await this.#name(this.#exported, text, names.length === 0 ? [{ tag: 'latest' }] : names.map(nameOf));
  }

  /** What is elsewhere alone (in a registry, say) is none of a layout's. */
  async #name(directory: string, text: string, names: readonly LayoutName[]): Promise<void> {
    const descriptor = decodeDescriptor(JSON.parse(text), 'descriptor');
    if ((await blobSize(directory, descriptor.digest)) === descriptor.size)
      await nameInLayout(directory, descriptor, names);
  }

  async #give(
    { token, store, digest }: BlobCallJson,
    client: BuildClient,
    signal: AbortSignal,
  ): Promise<void> {
    const directory = this.#readable.get(store);
    if (directory === undefined) throw unknown(store);
    if ((await blobSize(directory, digest)) === undefined) return await client.declineBlob(token, signal);
    await client.giveBlob(token, createReadStream(blobPath(directory, digest)), signal);
  }

  async #openCache(attributes: Record<string, string>): Promise<Record<string, string> | undefined> {
    const { src = '', tag = 'latest', digest } = attributes;
    if (src === '') throw new EngineError('invalid', 'local cache importer requires src');
    const directory = resolve(this.#context.cwd, src);
    this.#readable.set(`local:${src}`, directory);
    try {
      const wanted = digest ?? (await findInLayout(directory, tag))?.digest;
      if (wanted === undefined) throw new EngineError('invalid', `no digest found for tag ${tag}`);
      return { ...attributes, digest: wanted };
    } catch (error) {
      await this.#context.stderr.write(
        `WARNING: local cache import at ${src} not found due to err: ${messageOf(error)}\n`,
      );
      return undefined;
    }
  }
}

function nameOf(image: string): LayoutName {
  return { image, tag: withDefaultTag(parseReference(image)).tag ?? 'latest' };
}

function unknown(store: string): EngineError {
  return new EngineError('internal', `the daemon asks for an unknown layout ${JSON.stringify(store)}`);
}

async function resolved(value: string, directory: string, tag: string): Promise<string> {
  const failed = (reason: string, cause?: unknown): EngineError =>
    new EngineError(
      'invalid',
      `oci-layout reference ${JSON.stringify(value)} could not be resolved: ${reason}`,
      {
        cause,
      },
    );
  try {
    const found = await findOrSingle(directory, tag);
    if (found !== undefined) return found.digest;
  } catch (error) {
    throw failed(messageOf(error), error);
  }
  throw failed('failed to resolve digest');
}
