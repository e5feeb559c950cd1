import type { Digest } from '../../oci/digest.ts';
import type { ImageRecord } from './image-record.ts';
import type { GcRoots } from './lease-store.ts';

/** What containers have to do with images; `daemon` wires it to them. */
export interface ImageUsage {
  /** Containers made from the image `id`. */
  usedBy(id: Digest): { id: string; running: boolean }[];
  /** Containers made from one platform of an image, by its manifest. */
  manifestUsedBy(digest: Digest): { id: string; running: boolean }[];
  /** What containers need of images, also of removed ones. Parents of a chain are understood. */
  roots(): GcRoots;
}

export function isUsed({ id }: ImageRecord, usage: ImageUsage): boolean {
  return usage.usedBy(id).length > 0;
}
