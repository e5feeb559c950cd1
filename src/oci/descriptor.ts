import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';

/** OCI content descriptor: what a blob is, its digest and its size in bytes. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
  artifactType?: string;
  urls?: string[];
}
