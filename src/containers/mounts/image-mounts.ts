import type { SnapshotKey } from '../../snapshots/snapshotter.ts';
import type { ContainerImage } from '../container.ts';
import type { CreateRequest } from '../container-backend.ts';
import { imageOf } from '../creation/creation.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { type ImagePoint, imagePoints } from './mount-point.ts';

type Mounting = Pick<ContainerRecord, 'id' | 'mounts'>;

/** Each image that a container mounts has a snapshot of its own, as the container's root has one: it holds the layers. */
export function imageMountKey(record: Mounting, point: ImagePoint): SnapshotKey {
  return `${record.id}.image${record.mounts.indexOf(point)}` as SnapshotKey;
}

export function imageMountKeys(record: Mounting): SnapshotKey[] {
  return imagePoints(record.mounts).map((point) => imageMountKey(record, point));
}

/** The images that a container stands on: its own first, then those that it mounts. */
export function imagesOf({ image, mounts }: Pick<ContainerRecord, 'image' | 'mounts'>): ContainerImage[] {
  return [image, ...imagePoints(mounts).map((point) => point.image)];
}

/** Resolve the images that mounts name, and keep them from being collected until `release`. @throws as `images.hold`. */
export async function holdMountedImages(
  { host: { mounts } }: Pick<CreateRequest, 'host'>,
  deps: Pick<ContainerDependencies, 'images'>,
): Promise<{ images: Map<string, ContainerImage>; release: () => void }> {
  const images = new Map<string, ContainerImage>();
  const releases: (() => void)[] = [];
  const release = (): void => releases.forEach((one) => one());
  try {
    for (const { type, source } of mounts) {
      if (type !== 'image' || source === '' || images.has(source)) continue;
      const held = await deps.images.hold(source, { platform: undefined });
      releases.push(held.release);
      images.set(source, imageOf(held.image));
    }
    return { images, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Snapshots of the images that a new container mounts. Those that were made go with `removeImageSnapshots`, also after a failure. */
export async function prepareImageSnapshots(
  record: Mounting,
  { snapshotter }: Pick<ContainerDependencies, 'snapshotter'>,
  signal: AbortSignal,
): Promise<void> {
  for (const point of imagePoints(record.mounts))
    await snapshotter.prepare(imageMountKey(record, point), point.image.chainId, { signal });
}

/** Absent is fine. */
export async function removeImageSnapshots(
  record: Mounting,
  { snapshotter }: Pick<ContainerDependencies, 'snapshotter'>,
): Promise<void> {
  for (const key of imageMountKeys(record)) await snapshotter.remove(key);
}
