import { listMounts } from '../../sys/mount.ts';

export interface MountedOverlay {
  target: string;
  upper: string;
}

/** The overlays with an upper directory in this process's mount namespace. */
export function mountedOverlays(): MountedOverlay[] {
  const mounts: MountedOverlay[] = [];
  for (const { type, target, superOptions } of listMounts()) {
    if (type !== 'overlay') continue;
    const upper = superOptions.split(',').find((option) => option.startsWith(upperOption));
    if (upper !== undefined) mounts.push({ target, upper: upper.slice(upperOption.length) });
  }
  return mounts;
}

const upperOption = 'upperdir=';
