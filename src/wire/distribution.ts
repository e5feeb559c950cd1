import type { OciDescriptor, OciPlatform } from './oci-descriptor.ts';

/** Answer of `GET /distribution/{name}/json`. */
export interface DistributionInspect {
  Descriptor: OciDescriptor;
  Platforms: OciPlatform[] | null;
}

/**
 * Answer of `GET /distribution/{name}/manifest`: what the registry has under a name, whole. Sampan's own: Docker's client asks
 * the registry itself for this, past the daemon with its mirrors, certificates and proxies.
 *
 * `X-Registry-Auth` as for a pull; `tlsVerify=0` lets the registry speak plain HTTP or show any certificate. Refused as
 * `/distribution/{name}/json` is: 404 for an unknown name, 401 and 403 as the registry says.
 */
export interface DistributionManifest {
  /** Whole name, `docker.io/library/busybox:latest`; of an index's manifests with `@` and the digest behind it. */
  Ref: string;
  /** With `platform`: of an image that of its config, in an index the one that the index names. */
  Descriptor: OciDescriptor;
  /** The manifest's bytes as the registry sent them, base64. */
  Raw: string;
  /** Of an index only: its manifests in its order, attestations and nested indexes left out. */
  Manifests?: DistributionManifest[];
}

/** Body of `PUT /distribution/{name}/manifest`: publish a manifest or an index under a name. Sampan's own, access as for the GET. */
export interface DistributionPut {
  MediaType: string;
  /** Its bytes, base64; the whole body has 4 MiB at most. */
  Raw: string;
}

export interface DistributionPutAnswer {
  Digest: string;
}
