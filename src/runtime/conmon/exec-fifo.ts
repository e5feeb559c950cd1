import { closeSync, constants, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeSpec } from '../runtime-spec.ts';

/** On which a created container's init waits; gone once the container was started. crun's and runc's name for it. */
const EXEC_FIFO = 'exec.fifo';

/** Hooks are the runtime's to run, so such a container is started and deleted by the runtime. */
export function hasHooks(spec: RuntimeSpec): boolean {
  return 'hooks' in spec;
}

/**
 * Let a container's init execute its command, which is what `crun start` does (libcrun/status.c, libcrun_status_write_exec_fifo), without
 * the 4 to 8 ms of a process.
 *
 * @returns false when no init waits there: nothing was started, and the runtime has the words for it.
 */
export function startByFifo(stateDirectory: string, containerId: string): boolean {
  const path = join(stateDirectory, containerId, EXEC_FIFO);
  let fd: number;
  try {
    // Without a reader this fails at once (ENXIO).
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return false;
  }
  try {
    // The byte first: should we die in between, the fifo is left to a container that runs, and not taken from one that waits.
    if (writeSync(fd, Buffer.alloc(1)) !== 1) return false;
    forgetFifo(stateDirectory, containerId);
    return true;
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}

const LOOK_MS = 20;
const PATIENCE_MS = 5000;

/**
 * The same for a container whose daemon died as it let it go: its init waits, or runs already, or is still on its way to the fifo (to take that
 * away then would be its end).
 *
 * @param isPreparing whether its process is still the runtime's own
 */
export async function letGoOn(
  stateDirectory: string,
  containerId: string,
  isPreparing: () => boolean,
): Promise<void> {
  for (const endMs = performance.now() + PATIENCE_MS; ; ) {
    const wasPreparing = isPreparing();
    if (startByFifo(stateDirectory, containerId)) return;
    if (!wasPreparing || performance.now() > endMs) break;
    await sleep(LOOK_MS);
  }
  forgetFifo(stateDirectory, containerId);
}

/** A container that runs has no fifo: to crun it is a created one as long as there is one. */
export function forgetFifo(stateDirectory: string, containerId: string): void {
  rmSync(join(stateDirectory, containerId, EXEC_FIFO), { force: true });
}

/** Whether the container was made and not started yet. */
export function waitsAtFifo(stateDirectory: string, containerId: string): boolean {
  return existsSync(join(stateDirectory, containerId, EXEC_FIFO));
}
