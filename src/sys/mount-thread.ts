import { EngineError } from '../errors/engine-error.ts';
import type { MountCall } from './mount.ts';
import type { MountReply } from './mount-worker.ts';

/** What mount(2) said of the call at `index`. */
export class MountError extends EngineError {
  readonly index: number;
  readonly errno: number;

  constructor(index: number, number: number, message: string) {
    super('internal', message, { code: 'syscall-failed' });
    this.index = index;
    this.errno = number;
  }
}

/**
 * Make calls of mount(2) on one target in a thread of its own, one after the other: a server or a disk may let them wait as long as it likes. When one
 * fails, what those before it have mounted is gone again.
 *
 * @throws MountError
 */
export async function mountInThread(calls: readonly MountCall[]): Promise<void> {
  const worker = new Worker(new URL('./mount-worker.ts', import.meta.url));
  try {
    const reply = await new Promise<MountReply>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<MountReply>) => resolve(data);
      worker.onerror = ({ message }) =>
        reject(new EngineError('internal', `Cannot mount: the thread for it failed: ${message}`));
      worker.postMessage(calls);
    });
    if (reply.failed !== undefined)
      throw new MountError(reply.failed.index, reply.failed.errno, reply.failed.message);
  } finally {
    worker.terminate();
  }
}
