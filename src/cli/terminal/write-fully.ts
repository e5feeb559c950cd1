import { write, writeSync } from 'node:fs';
import { errnoCodeOf } from '../../errors/engine-error.ts';

/**
 * Write all of `data`. Straight away where the descriptor takes it; a full non-blocking pipe is waited for without spinning.
 *
 * @throws the system's error, EPIPE when the reader has gone.
 */
export async function writeFully(fd: number, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length; ) {
    try {
      at += writeSync(fd, data, at, data.length - at);
    } catch (error) {
      if (errnoCodeOf(error) !== 'EAGAIN') throw error;
      at += await writeLater(fd, data.subarray(at));
    }
  }
}

const RETRY_MS = 2;

function writeLater(fd: number, data: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      write(fd, data, (error, written) => {
        if (error === null || error === undefined) resolve(written);
        else if (errnoCodeOf(error) === 'EAGAIN') resolve(0);
        else reject(error);
      });
    }, RETRY_MS);
  });
}
