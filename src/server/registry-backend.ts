import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { CopyOptions, CopyRequest } from '../registry/client/copy-image.ts';
import type {
  RegistryRequest,
  RegistrySearch,
  RemoteInspection,
} from '../registry/client/registry-client.ts';

/** What a registry has under a name, whole. */
export interface RemoteManifest {
  reference: Reference;
  /** With its platform: an image's by its config, an index's entry by the index. */
  descriptor: Descriptor;
  bytes: Uint8Array;
  /** Of an index: its images, in order. */
  manifests: RemoteManifest[] | undefined;
}

/** Registries as `server/` needs them. Errors as `RegistryClient`. */
export interface RegistryBackend extends RegistrySearch {
  inspect(reference: Reference, options: RegistryRequest): Promise<RemoteInspection>;
  manifest(reference: Reference, options: RegistryRequest): Promise<RemoteManifest>;
  /** Publish a manifest under a name, or by its digest. It goes to the origin. */
  putManifest(
    reference: Reference,
    manifest: { mediaType: string; bytes: Uint8Array },
    options: RegistryRequest,
  ): Promise<Digest>;
  /** The tags of a repository, in the registry's order. */
  tags(repository: Reference, options: RegistryRequest): Promise<string[]>;
  /** From registry to registry, with nothing kept here. Resolves to what the target's name stands for now. */
  copy(
    request: CopyRequest,
    options: Omit<CopyOptions, 'maxConcurrentUploads'>,
  ): Promise<Pick<Descriptor, 'digest' | 'size'>>;
}
