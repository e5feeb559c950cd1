import { checked, cString, libc } from './libc.ts';
import { bindMount, mount, mountFlags, unmount } from './mount.ts';

/**
 * Make `target` this process's root, in its own mount namespace, and let go of the old one. Devices can't be opened there: a container may have put one in a
 * file's place.
 */
export function enterRoot(target: string): void {
  bindMount(target, target);
  mount({ source: 'none', target, flags: mountFlags.bind | mountFlags.remount | mountFlags.nodev });
  pivotInto(target);
}

/** As `enterRoot`, for what is a mount point already, with what is mounted below. */
export function pivotInto(target: string): void {
  const here = cString('.');
  process.chdir(target);
  checked(libc.pivot_root(here, here), 'pivot_root', `enter ${target}`);
  // The old root was put on top of the new one.
  unmount('.', { detach: true });
  process.chdir('/');
}
