import { type Dirent, utimesSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, digestOfHex, hexOf, isDigest } from '../../oci/digest.ts';
import { isRepositoryPath, isTag } from '../../oci/reference.ts';
import { writeDurably } from './durable-file.ts';

/** A manifest's entry in its repository. */
export interface ManifestEntry {
  descriptor: Descriptor;
  subject?: Digest;
}

export interface Repository {
  /** When each was last given, asked for or read: wall clock, ms. */
  readonly blobs: ReadonlyMap<Digest, number>;
  readonly manifests: ReadonlyMap<Digest, ManifestEntry>;
  readonly tags: ReadonlyMap<string, Digest>;
}

interface OpenRepository extends Repository {
  blobs: Map<Digest, number>;
  manifests: Map<Digest, ManifestEntry>;
  tags: Map<string, Digest>;
}

const BLOBS = '_blobs';
const MANIFESTS = '_manifests';
const TAGS = '_tags';
/** How exactly a use is remembered over a restart. */
const TOUCH_MS = 60_000;

/**
 * Which repositories there are and what they name: a model in memory, and small files that carry it over a restart. `_` begins no
 * component of a repository's name, so that names can't meet them:
 *
 * - `<name>/_blobs/<hex>` is empty: the blob belongs to the repository; its mtime tells when it was last used
 * - `<name>/_manifests/<hex>` is the descriptor and subject, JSON
 * - `<name>/_tags/<tag>` is a digest
 *
 * Each is written whole, synced and renamed; a manifest before its tag, a blob before its entry: after a crash what is named is here.
 * One process at a time may change it.
 */
export class RepositoryIndex {
  readonly #root: string | undefined;
  readonly #repositories = new Map<string, OpenRepository>();
  readonly #turns = new Map<string, Promise<void>>();

  /** Without a folder it lives in memory alone. */
  constructor(root?: string) {
    this.#root = root;
  }

  static async open(root: string): Promise<RepositoryIndex> {
    const index = new RepositoryIndex(root);
    await index.#load('');
    return index;
  }

  names(): string[] {
    return [...this.#repositories.keys()];
  }

  repository(name: string): Repository | undefined {
    return this.#repositories.get(name);
  }

  has(name: string, digest: Digest): boolean {
    return this.#repositories.get(name)?.blobs.has(digest) ?? false;
  }

  /** A repository that has the blob. */
  ownerOf(digest: Digest): string | undefined {
    for (const [name, { blobs }] of this.#repositories) if (blobs.has(digest)) return name;
    return undefined;
  }

  /** Everything that is named: nothing of it may go. */
  digests(): Set<Digest> {
    const all = new Set<Digest>();
    for (const { blobs } of this.#repositories.values()) for (const digest of blobs.keys()) all.add(digest);
    return all;
  }

  /** Remember a use, in memory at once, on disk when the last one there is a while ago. */
  touch(name: string, digest: Digest): void {
    const blobs = this.#repositories.get(name)?.blobs;
    const before = blobs?.get(digest);
    if (blobs === undefined || before === undefined) return;
    const now = Date.now();
    blobs.set(digest, now);
    if (this.#root === undefined || now - before < TOUCH_MS) return;
    try {
      utimesSync(this.#file(name, BLOBS, hexOf(digest)), now / 1000, now / 1000);
    } catch {
      // Removed this moment, or a full disk: it is only a hint.
    }
  }

  linkBlob(name: string, digest: Digest): Promise<void> {
    return this.#inTurn(name, async () => {
      const { blobs } = this.#open(name);
      if (blobs.has(digest)) return this.touch(name, digest);
      await this.#write(this.#file(name, BLOBS, hexOf(digest)), '');
      blobs.set(digest, Date.now());
    });
  }

  /** The manifest's bytes are in the store, and stay for as long as this takes. */
  putManifest(name: string, entry: ManifestEntry, tags: readonly string[]): Promise<void> {
    const { digest } = entry.descriptor;
    return this.#inTurn(name, async () => {
      const repository = this.#open(name);
      if (!repository.blobs.has(digest)) await this.#write(this.#file(name, BLOBS, hexOf(digest)), '');
      repository.blobs.set(digest, Date.now());
      await this.#write(this.#file(name, MANIFESTS, hexOf(digest)), JSON.stringify(entry));
      repository.manifests.set(digest, entry);
      for (const tag of tags) {
        await this.#write(this.#file(name, TAGS, tag), digest);
        repository.tags.set(tag, digest);
      }
    });
  }

  /** False: there was none. */
  removeTag(name: string, tag: string): Promise<boolean> {
    return this.#removing(name, async ({ tags }) => {
      if (!tags.has(tag)) return false;
      await this.#remove(this.#file(name, TAGS, tag));
      return tags.delete(tag);
    });
  }

  /** The manifest, its tags first. What it names stays. False: there was none. */
  removeManifest(name: string, digest: Digest): Promise<boolean> {
    return this.#removing(name, (repository) => this.#dropManifest(name, repository, digest));
  }

  /** False: there was none, or a tag has it by now, or it was used after `unusedSinceMs`. */
  removeUntagged(name: string, digest: Digest, unusedSinceMs: number): Promise<boolean> {
    return this.#removing(name, async (repository) => {
      const tagged = [...repository.tags.values()].includes(digest);
      if (tagged || (repository.blobs.get(digest) ?? 0) > unusedSinceMs) return false;
      return await this.#dropManifest(name, repository, digest);
    });
  }

  async #dropManifest(
    name: string,
    { blobs, manifests, tags }: OpenRepository,
    digest: Digest,
  ): Promise<boolean> {
    if (!manifests.has(digest)) return false;
    for (const [tag, target] of tags) {
      if (target !== digest) continue;
      await this.#remove(this.#file(name, TAGS, tag));
      tags.delete(tag);
    }
    await this.#remove(this.#file(name, MANIFESTS, hexOf(digest)));
    manifests.delete(digest);
    await this.#remove(this.#file(name, BLOBS, hexOf(digest)));
    return blobs.delete(digest);
  }

  /** False: there was none, or it is a manifest, or it was used after `unusedSinceMs`. */
  unlinkBlob(name: string, digest: Digest, unusedSinceMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.#removing(name, async ({ blobs, manifests }) => {
      const usedMs = blobs.get(digest);
      if (usedMs === undefined || usedMs > unusedSinceMs || manifests.has(digest)) return false;
      await this.#remove(this.#file(name, BLOBS, hexOf(digest)));
      return blobs.delete(digest);
    });
  }

  /** A repository that nothing is left of goes too. */
  #removing(name: string, action: (repository: OpenRepository) => Promise<boolean>): Promise<boolean> {
    return this.#inTurn(name, async () => {
      const repository = this.#repositories.get(name);
      if (repository === undefined) return false;
      const removed = await action(repository);
      if (repository.blobs.size === 0) {
        this.#repositories.delete(name);
        for (const folder of [TAGS, MANIFESTS, BLOBS])
          if (this.#root !== undefined)
            await rm(join(this.#root, name, folder), { recursive: true, force: true });
      }
      return removed;
    });
  }

  /** Changes of one repository happen one after the other, on disk and in memory alike. */
  async #inTurn<T>(name: string, action: () => Promise<T>): Promise<T> {
    checkName(name);
    const run = (this.#turns.get(name) ?? Promise.resolve()).then(action);
    const settled = run.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(name, settled);
    void settled.then(() => this.#turns.get(name) === settled && this.#turns.delete(name));
    return await run;
  }

  #open(name: string): OpenRepository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const fresh = { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, fresh);
    return fresh;
  }

  async #load(prefix: string): Promise<void> {
    const directory = join(this.#root ?? '', prefix);
    const children = await list(directory);
    if (children.some((child) => child.name.startsWith('_'))) await this.#loadOne(prefix);
    for (const child of children) {
      const name = prefix === '' ? child.name : `${prefix}/${child.name}`;
      if (child.isDirectory() && isRepositoryPath(name)) await this.#load(name);
    }
  }

  async #loadOne(name: string): Promise<void> {
    if (!isRepositoryPath(name)) return;
    const folder = (kind: string) => join(this.#root ?? '', name, kind);
    const repository = this.#open(name);
    for (const { name: hex } of await list(folder(BLOBS))) {
      const digest = digestOfHex(hex);
      if (digest !== undefined) repository.blobs.set(digest, (await stat(join(folder(BLOBS), hex))).mtimeMs);
    }
    for (const { name: hex } of await list(folder(MANIFESTS))) {
      const digest = digestOfHex(hex);
      if (digest === undefined || !repository.blobs.has(digest)) continue;
      const entry = entryOf(await readFile(join(folder(MANIFESTS), hex), 'utf8'), digest);
      if (entry !== undefined) repository.manifests.set(digest, entry);
    }
    for (const { name: tag } of await list(folder(TAGS))) {
      const digest = isTag(tag) ? await readFile(join(folder(TAGS), tag), 'utf8') : '';
      if (isDigest(digest) && repository.manifests.has(digest)) repository.tags.set(tag, digest);
    }
    if (repository.blobs.size === 0) this.#repositories.delete(name);
  }

  async #write(path: string, text: string): Promise<void> {
    if (this.#root !== undefined) await writeDurably(path, text);
  }

  async #remove(path: string): Promise<void> {
    if (this.#root !== undefined) await rm(path, { force: true });
  }

  /** @throws EngineError "invalid": the handler has checked names before, this is the last door. */
  #file(repository: string, folder: string, name: string): string {
    if (!isTag(name) && digestOfHex(name) === undefined) throw invalidName(`${repository}/${name}`);
    return join(this.#root ?? '', repository, folder, name);
  }
}

function checkName(name: string): void {
  if (!isRepositoryPath(name)) throw invalidName(name);
}

function invalidName(name: string): EngineError {
  return new EngineError('invalid', `Cannot store ${JSON.stringify(name)}: not a valid name`);
}

/** A file that something else has written into is left out, not a reason to fall over. */
function entryOf(text: string, digest: Digest): ManifestEntry | undefined {
  try {
    const entry = JSON.parse(text) as ManifestEntry;
    return entry.descriptor?.digest === digest ? entry : undefined;
  } catch {
    return undefined;
  }
}

async function list(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
