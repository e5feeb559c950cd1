import type { Descriptor } from '../../oci/descriptor.ts';
import { encodeOciPlatform, type OciDescriptor } from '../../wire/oci-descriptor.ts';

export function encodeOciDescriptor(descriptor: Descriptor): OciDescriptor {
  const { mediaType, digest, size, urls, annotations, platform, artifactType } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(urls === undefined ? {} : { urls }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: encodeOciPlatform(platform) }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}
