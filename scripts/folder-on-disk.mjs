import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** TMPFS_MAGIC (linux/magic.h). */
const TMPFS = 0x01021994;

/**
 * Where tests have their files. Debian 13 has a tmpfs at /tmp, as the engine's data seldom has below it: Linux 6.12 mounts no EROFS image
 * from a file there, and what is written takes memory.
 */
export function folderOnDisk() {
  return statfsSync(tmpdir()).type === TMPFS ? '/var/tmp' : tmpdir();
}
