import type { Descriptor } from '../oci/descriptor.ts';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import type { PushProgress } from '../registry/push-client.ts';
import type {
  RegistryCredentials,
  RegistryRequest,
  RegistrySearch,
  RemoteInspection,
} from '../registry/registry-client.ts';

/** What a registry has under a name, whole. */
export interface RemoteManifest {
  reference: Reference;
  /** With its platform: an image's by its config, an index's entry by the index. */
  descriptor: Descriptor;
  bytes: Uint8Array;
  /** Of an index: its images, in order. */
  manifests: RemoteManifest[] | undefined;
}

/** An image on its way from one registry to another. */
export interface RegistryCopy {
  from: Reference;
  to: Reference;
  /** That one alone, without the index. */
  platform: Platform | undefined;
  credentials: { from: RegistryCredentials | undefined; to: RegistryCredentials | undefined };
  /** False: both may speak plain HTTP or show any certificate. */
  tlsVerify: boolean | undefined;
}

/** Registries as `server/` needs them. Errors as `RegistryClient`. */
export interface RegistryBackend extends RegistrySearch {
  inspect(reference: Reference, options: RegistryRequest): Promise<RemoteInspection>;
  manifest(reference: Reference, options: RegistryRequest): Promise<RemoteManifest>;
  /** The tags of a repository, in the registry's order. */
  tags(repository: Reference, options: RegistryRequest): Promise<string[]>;
  /** Nothing of it is kept here. An aborted copy has no name at its destination. */
  copy(
    copy: RegistryCopy,
    options: { signal: AbortSignal; progress: (line: PushProgress) => void },
  ): Promise<void>;
}
