import { close, read, write } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  deserializeError,
  EngineError,
  errnoCodeOf,
  type SerializedError,
} from '../../errors/engine-error.ts';
import { closeFd, openPipe } from '../../sys/pipe.ts';
import { type DetachedChild, spawnDetached } from '../../sys/spawn.ts';
import type { ReadRequest } from './read-request.ts';

const readFile = promisify(read);
const writeFile = promisify(write);
const closeFile = promisify(close);
const program = fileURLToPath(new URL('./read-child.ts', import.meta.url));

const BUFFER_BYTES = 256 << 10;
const MAX_ERROR_BYTES = 64 << 10;

/**
 * Read a root file system in a child process. The stream ends when the child has done well, fails with what it found otherwise, and ends the child when
 * it is cancelled or `signal` aborts.
 */
export function readRoot(request: ReadRequest, signal: AbortSignal): ReadableStream<Uint8Array> {
  signal.throwIfAborted();
  const child = new ReadChild(request);
  const abort = (): void => child.kill();
  signal.addEventListener('abort', abort, { once: true });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const bytes = await child.next();
        signal.throwIfAborted();
        if (bytes !== undefined) return controller.enqueue(bytes);
        signal.removeEventListener('abort', abort);
        controller.close();
      },
      async cancel() {
        signal.removeEventListener('abort', abort);
        child.kill();
        await child.end();
      },
    },
    { highWaterMark: 0 },
  );
}

class ReadChild {
  readonly #child: DetachedChild;
  #output: number;
  #errors: number;
  #exited = false;
  #killed = false;

  constructor(request: ReadRequest) {
    const input = openPipe();
    const output = openPipe();
    const errors = openPipe();
    try {
      const command = ['unshare', '--mount', '--propagation', 'private', process.execPath, program];
      this.#child = spawnDetached(command, {
        stdio: [input.first, output.second, errors.second],
        cwd: '/',
      });
    } catch (error) {
      closeFd(input.second);
      closeFd(output.first);
      closeFd(errors.first);
      throw error;
    } finally {
      closeFd(input.first);
      closeFd(output.second);
      closeFd(errors.second);
    }
    void send(input.second, JSON.stringify(request));
    this.#output = output.first;
    this.#errors = errors.first;
    void this.#child.exited.then(() => {
      this.#exited = true;
    });
  }

  /** undefined: that was all. @throws what the child found wrong. */
  async next(): Promise<Uint8Array | undefined> {
    const { bytesRead, buffer } = await readFile(
      this.#output,
      Buffer.allocUnsafeSlow(BUFFER_BYTES),
      0,
      BUFFER_BYTES,
      null,
    );
    if (bytesRead > 0) return buffer.subarray(0, bytesRead);
    await this.end();
    return undefined;
  }

  kill(): void {
    // Its number may be another's by now.
    if (this.#exited) return;
    this.#killed = true;
    try {
      process.kill(this.#child.pid, 'SIGKILL');
    } catch (error) {
      if (errnoCodeOf(error) !== 'ESRCH') throw error;
    }
  }

  /** @throws what the child found wrong. */
  async end(): Promise<void> {
    const [output, errors] = [this.#output, this.#errors];
    this.#output = this.#errors = -1;
    if (errors === -1) return;
    await closeFile(output);
    try {
      const { bytesRead, buffer } = await readFile(
        errors,
        Buffer.alloc(MAX_ERROR_BYTES),
        0,
        MAX_ERROR_BYTES,
        null,
      );
      const code = await this.#child.exited;
      if (code !== 0 && !this.#killed) throw errorOf(buffer.toString('utf8', 0, bytesRead), code);
    } finally {
      await closeFile(errors);
    }
  }
}

/** Not by an argument, of which the kernel takes 128 KiB. A child that has ended tells so itself. */
async function send(pipe: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length; )
      at += (await writeFile(pipe, bytes, at, bytes.length - at)).bytesWritten;
  } catch (error) {
    if (errnoCodeOf(error) !== 'EPIPE') throw error;
  } finally {
    await closeFile(pipe);
  }
}

function errorOf(text: string, code: number): EngineError {
  try {
    return deserializeError(JSON.parse(text) as SerializedError);
  } catch {
    return new EngineError('internal', `Cannot read root: the child ended with code ${code}: ${text.trim()}`);
  }
}
