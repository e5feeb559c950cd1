import { closeSync, mkdtempSync, openSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mount, unmountIfMounted } from '../../../src/sys/mount.ts';

export interface DeadMount {
  /** Whoever looks at it, or at anything below, waits until `close`. */
  path: string;
  /** Calls that wait fail then. */
  close(): void;
}

/** Mount a file system whose server (this process) never answers, as one on a dead NFS server is. */
export function mountDead(): DeadMount {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'dead-'));
  const server = openSync('/dev/fuse', 'r+');
  try {
    const data = `fd=${server},rootmode=40000,user_id=0,group_id=0`;
    mount({ source: 'dead', target: path, type: 'fuse', data });
  } catch (error) {
    closeSync(server);
    rmdirSync(path);
    throw error;
  }
  let open = true;
  return {
    path,
    close: () => {
      if (!open) return;
      open = false;
      // Its end ends the connection.
      closeSync(server);
      unmountIfMounted(path, { detach: true });
      rmdirSync(path);
    },
  };
}
