import type { Digest } from '../oci/digest.ts';
import type { ImageRecord } from './image-record.ts';
import type { GcRoots } from './lease-store.ts';

/** What containers have to do with images; `daemon` wires it to them. */
export interface ImageUsage {
  /** Containers made from the image `id` (or one of its manifests). */
  usedBy(id: Digest): { id: string; running: boolean }[];
  /** What containers need of images, also of removed ones. Parents of a chain are understood. */
  roots(): GcRoots;
}

export function isUsed({ id, manifests }: ImageRecord, usage: ImageUsage): boolean {
  return [id, ...manifests.map(({ digest }) => digest)].some((digest) => usage.usedBy(digest).length > 0);
}
