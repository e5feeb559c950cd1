import { closeSync, openSync } from 'node:fs';
import { EngineError } from '../errors/engine-error.ts';
import { lastErrno, libc } from '../sys/libc.ts';

const LOCK_EX_NB = 2 | 4;

/** An advisory lock on a file (flock); it goes with the process, however that ends. */
export interface FileLock {
  release(): void;
}

/**
 * Take the lock or fail at once. The file is made if it is absent and never removed.
 *
 * @throws EngineError "conflict" with `what` in the message while another process (or another lock here) holds it.
 */
export function lockFile(path: string, what: string): FileLock {
  const descriptor = openSync(path, 'a', 0o600);
  if (libc.flock(descriptor, LOCK_EX_NB) === -1) {
    const number = lastErrno();
    closeSync(descriptor);
    throw new EngineError(
      'conflict',
      `Cannot lock ${what}: ${JSON.stringify(path)} is held by another process (errno ${number})`,
    );
  }
  let held = true;
  return {
    release: () => {
      if (held) closeSync(descriptor);
      held = false;
    },
  };
}
