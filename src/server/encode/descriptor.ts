import type { Descriptor } from '../../oci/descriptor.ts';
import type { Platform } from '../../oci/platform.ts';
import type { OciDescriptor, OciPlatform } from '../../wire/oci-descriptor.ts';

export function encodeOciPlatform({ architecture, os, osVersion, variant }: Platform): OciPlatform {
  return {
    architecture,
    os,
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
    ...(variant === undefined ? {} : { variant }),
  };
}

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
