import type { Digest } from '../../../oci/digest.ts';
import type { BlobBackend } from '../blob-backend.ts';
import { linksOf } from '../manifest.ts';
import type { RepositoryIndex } from '../repository-index.ts';

/** Forgetting costs reading a repository's manifests again. */
const MAX_REPOSITORIES = 10_000;

/** How large the blobs are that the fetched manifests of a repository name, so that they can be announced before they are fetched. */
export class KnownSizes {
  readonly #index: RepositoryIndex;
  readonly #fetched: Pick<BlobBackend, 'manifest'>;
  readonly #sizes = new Map<string, Map<Digest, number>>();

  constructor(index: RepositoryIndex, fetched: Pick<BlobBackend, 'manifest'>) {
    this.#index = index;
    this.#fetched = fetched;
  }

  learn(repository: string, manifest: Uint8Array): void {
    if (this.#sizes.size > MAX_REPOSITORIES) this.#sizes.clear();
    const known = this.#sizes.get(repository) ?? new Map<Digest, number>();
    for (const { digest, size } of linksOf(manifest).blobs) if (size !== undefined) known.set(digest, size);
    this.#sizes.set(repository, known);
  }

  /** Undefined: no manifest of the repository names the blob. */
  async of(repository: string, digest: Digest): Promise<number | undefined> {
    if (!this.#sizes.has(repository)) await this.#readAll(repository);
    return this.#sizes.get(repository)?.get(digest);
  }

  async #readAll(repository: string): Promise<void> {
    this.#sizes.set(repository, new Map());
    for (const digest of this.#index.repository(repository)?.manifests.keys() ?? []) {
      const found = await this.#fetched.manifest(repository, digest);
      if (found !== undefined) this.learn(repository, found.bytes);
    }
  }
}
