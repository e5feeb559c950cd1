import { closeSync, constants, openSync, readdirSync, readlinkSync } from 'node:fs';
import type { TaskHandle } from '../runtime.ts';

/** A reader on the container's stdin that never reads. */
export interface StdinGuard {
  close(): void;
}

/**
 * Hold the reading end of the container's stdin pipe open.
 *
 * A container may close its stdin, or replace it. conmon (2.1.6 to 2.2.1, `conn_sock.c`) keeps polling a pipe that nobody reads while it
 * has bytes for it, and takes a whole CPU until the container ends. With a reader left the pipe fills and conmon waits.
 *
 * Undefined when init's stdin is not conmon's pipe (any more).
 */
export function holdStdin(handle: TaskHandle): StdinGuard | undefined {
  const path = `/proc/${handle.pid}/fd/0`;
  const pipe = linkOf(path);
  if (pipe === undefined || !pipe.startsWith('pipe:') || !isHeldBy(handle.monitorPid, pipe)) return undefined;
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  return {
    close: () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function isHeldBy(pid: number, pipe: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => linkOf(`${folder}/${name}`) === pipe);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
