import { EngineError } from '../errors/engine-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES, parseIndex } from '../oci/manifest.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';
import { isAttestation } from '../oci/platform.ts';
import { type Reference, withDefaultTag } from '../oci/reference.ts';
import { type CopyOptions, type CopyRequest, copyImage } from '../registry/client/copy-image.ts';
import { inspectRemote } from '../registry/client/inspect-remote.ts';
import type {
  RegistryRequest,
  RemoteInspection,
  SearchRequest,
  SearchResult,
} from '../registry/client/registry-client.ts';
import type { RegistryBackend, RemoteManifest } from '../server/registry-backend.ts';
import type { DaemonSettings } from './daemon-settings.ts';
import type { RegistryAccess } from './registry-access.ts';

/** More manifests than any index of images has. */
const MAX_CHILDREN = 256;

/** Registries, by the clients of the present settings. */
export class RegistryService implements RegistryBackend {
  readonly #access: RegistryAccess;
  readonly #maxConcurrentUploads: number;

  constructor(access: RegistryAccess, settings: Pick<DaemonSettings, 'maxConcurrentUploads'>) {
    this.#access = access;
    this.#maxConcurrentUploads = settings.maxConcurrentUploads;
  }

  async search(term: string, request: SearchRequest): Promise<SearchResult[]> {
    return await this.#access.search().search(term, request);
  }

  async tags(repository: Reference, options: RegistryRequest): Promise<string[]> {
    return await this.#access.catalog().tags(repository, options);
  }

  async copy(
    request: CopyRequest,
    options: Omit<CopyOptions, 'maxConcurrentUploads'>,
  ): Promise<Pick<Descriptor, 'digest' | 'size'>> {
    const clients = { source: this.#access.client(), target: this.#access.pushClient() };
    const maxConcurrentUploads = this.#maxConcurrentUploads;
    return await copyImage(request, clients, { ...options, maxConcurrentUploads });
  }

  async inspect(reference: Reference, options: RegistryRequest): Promise<RemoteInspection> {
    return await inspectRemote(this.#access.client(), withDefaultTag(reference), options);
  }

  async putManifest(
    name: Reference,
    manifest: { mediaType: string; bytes: Uint8Array },
    options: RegistryRequest,
  ): Promise<Digest> {
    return await this.#access.pushClient().putManifest(withDefaultTag(name), manifest, options);
  }

  async manifest(name: Reference, options: RegistryRequest): Promise<RemoteManifest> {
    const reference = withDefaultTag(name);
    const client = this.#access.client();
    const root = await client.manifest(reference, options);
    const { descriptor, bytes } = root;
    if (!isIndexType(descriptor.mediaType)) {
      const digested = { ...reference, digest: descriptor.digest };
      const { platforms } = await inspectRemote(client, digested, options);
      const [platform] = platforms;
      const described = platform === undefined ? descriptor : { ...descriptor, platform };
      return { reference, descriptor: described, bytes, manifests: undefined };
    }
    const entries = parseIndex(bytes, descriptor.mediaType).manifests.filter(
      (entry) => isManifestType(entry.mediaType) && !isAttestation(entry),
    );
    if (entries.length > MAX_CHILDREN)
      throw new EngineError(
        'invalid',
        `Index names ${entries.length} images, at most ${MAX_CHILDREN} are shown`,
        {
          code: 'size-exceeded',
        },
      );
    const manifests: RemoteManifest[] = [];
    for (const entry of entries) {
      if (entry.size > MAX_MANIFEST_BYTES)
        throw new EngineError('invalid', `Manifest ${entry.digest} is too large`, { code: 'size-exceeded' });
      const child = { ...reference, tag: undefined, digest: entry.digest };
      const found = await client.manifest(child, { ...options, source: root.source });
      manifests.push({
        reference: { ...reference, digest: entry.digest },
        descriptor: entry,
        bytes: found.bytes,
        manifests: undefined,
      });
    }
    return { reference, descriptor, bytes, manifests };
  }
}
