import { checked, cString, libc } from './libc.ts';
import { bindMount, makePrivate, mount, mountFlags, unmount } from './mount.ts';

const CLONE_NEWNS = 0x2_0000;

/**
 * Give this thread a mount namespace of its own, as things are mounted now; nothing of it comes out. Other threads stay where they were: for processes
 * that from here on touch files by synchronous calls alone, since whatever is asked of the runtime's file threads would happen outside.
 */
export function ownMounts(): void {
  checked(libc.unshare(CLONE_NEWNS), 'unshare', 'make a mount namespace');
  makePrivate('/', { recursive: true });
}

/**
 * Make `target` this thread's root, in its own mount namespace, and let go of the old one. Devices can't be opened there: a container may have put one in a
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
