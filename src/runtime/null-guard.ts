import { readFileSync } from 'node:fs';
import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { bindMount, mount, mountFlags, unmount } from '../sys/mount.ts';

const NULL = '/dev/null';
const DEV = '/dev';

/**
 * Have processes of this mount namespace open `/dev/null` through a read-only mount of its own. Writing to the device is as before.
 *
 * crun's exec (1.8, `maybe_chown_std_streams`) gives the process's user what its stdin is, and without a stdin that is the host's
 * `/dev/null`: who is in a container could then change its mode for all of the machine. Through a read-only mount neither works.
 *
 * Call it only in a mount namespace of our own. @returns false where the mount would be seen by others: nothing was changed then.
 */
export function guardNull(): boolean {
  if (optionsOf(NULL)?.split(',').includes('ro') === true) return true;
  if (mountLine(DEV) === undefined) return false;
  // What the host mounts there later still arrives; what we do no longer leaves.
  mount({ source: 'none', target: DEV, flags: mountFlags.slave });
  if (/ shared:\d+ /.test(mountLine(DEV) ?? ' shared:0 ')) return false;
  bindMount(NULL, NULL);
  try {
    mount({
      source: 'none',
      target: NULL,
      flags: mountFlags.bind | mountFlags.remount | mountFlags.readonly,
    });
  } catch (error) {
    unmount(NULL, { detach: true });
    throw error;
  }
  return true;
}

/** `guardNull`, and a warning where it can't be. */
export function guardNullOrWarn(logger: Logger): void {
  try {
    if (!guardNull()) logger.warn('/dev/null is not guarded: its mounts are shared with the host');
  } catch (error) {
    logger.warn('Cannot guard /dev/null', { error: messageOf(error) });
  }
}

function optionsOf(target: string): string | undefined {
  return mountLine(target)?.split(' ')[5];
}

function mountLine(target: string): string | undefined {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.findLast((line) => line.split(' ')[4] === target);
}
