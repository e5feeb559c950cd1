import type { ContainerImage } from '../container.ts';

/** One entry of `HostConfig.Mounts` as it was asked for; what was left out is undefined or empty, and shown as such. */
export interface MountRequest {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  consistency: string;
  bind?: {
    propagation: string;
    nonRecursive: boolean;
    createMountpoint: boolean;
    readOnlyNonRecursive: boolean;
    readOnlyForceRecursive: boolean;
  };
  volume?: {
    noCopy: boolean;
    labels?: Record<string, string>;
    subpath: string;
    driver?: { name: string; options?: Record<string, string> };
  };
  image?: { subpath: string };
  tmpfs?: { sizeBytes: number; mode: number; options?: string[][] };
}

/** Something mounted at one place in a container, settled at its creation. Plain data, part of its record. */
export type MountPoint = BindPoint | VolumePoint | TmpfsPoint | ImagePoint;

interface Placed {
  /** Absolute and plain. */
  destination: string;
  readWrite: boolean;
  /** As after the second colon of `-v`, and as shown. */
  mode: string;
}

export interface BindPoint extends Placed {
  type: 'bind';
  /** Path on the host. */
  source: string;
  propagation: string;
  /** Nobody asked for it, and where the source's mount has no peers there is none. */
  propagationImplied?: boolean;
  /** A source that is not there becomes a directory, at each start. */
  createSource: boolean;
  nonRecursive: boolean;
  /** What is mounted below a read-only bind: as it can be, writable on the user's word, or read-only without fail. */
  readOnlyBelow: 'try' | 'never' | 'always';
}

export interface VolumePoint extends Placed {
  type: 'volume';
  /** The volume's. */
  name: string;
  /** Made without a name of a user's: `rm -v` takes it along. */
  anonymous: boolean;
  /** It is something that must be mounted before it is used. */
  device: boolean;
  /** Place within the volume; '' for all of it. */
  subpath: string;
}

export interface TmpfsPoint extends Placed {
  type: 'tmpfs';
  /** As after the colon of `--tmpfs`. */
  options: string;
}

export interface ImagePoint extends Placed {
  type: 'image';
  /** The image as the user named it. */
  name: string;
  image: ContainerImage;
  subpath: string;
}

/** Of those, the volumes. */
export function volumePoints(mounts: readonly MountPoint[]): VolumePoint[] {
  return mounts.filter((point) => point.type === 'volume');
}

/** Of those, the images. */
export function imagePoints(mounts: readonly MountPoint[]): ImagePoint[] {
  return mounts.filter((point) => point.type === 'image');
}
