import { close, read, write } from 'node:fs';
import { promisify } from 'node:util';
import {
  deserializeError,
  EngineError,
  errnoCodeOf,
  type SerializedError,
} from '../../errors/engine-error.ts';
import { closeFd, type FdPair, openPipe } from '../../sys/pipe.ts';
import { type DetachedChild, spawnDetached } from '../../sys/spawn.ts';

const readFile = promisify(read);
const writeFile = promisify(write);
const closeFile = promisify(close);

const BUFFER_BYTES = 256 << 10;
const MAX_ERROR_BYTES = 64 << 10;

/**
 * A child process in a mount namespace of its own, which makes a container's root its root and works there. What it says comes on its
 * stdout, an error as JSON on its stderr, its request lies on the fd `requestFd`. It ends when its input does, or nobody reads its output.
 */
export class RootChild {
  readonly #child: DetachedChild;
  #input: number;
  #output: number;
  #errors: number;
  #exited = false;
  #killed = false;

  /** `program`: path of a TypeScript file. `input`: bytes for its stdin will follow. */
  constructor(program: string, request: unknown, options: { input: boolean } = { input: false }) {
    const pipes: FdPair[] = [];
    const pipe = (): FdPair => {
      const pair = openPipe();
      pipes.push(pair);
      return pair;
    };
    try {
      const [words, output, errors] = [pipe(), pipe(), pipe()];
      const input = options.input ? pipe() : undefined;
      const command = ['unshare', '--mount', '--propagation', 'private', process.execPath, program];
      this.#child = spawnDetached(command, {
        stdio: [input?.first ?? 'ignore', output.second, errors.second, words.first],
        cwd: '/',
      });
      for (const fd of [words.first, output.second, errors.second, input?.first])
        if (fd !== undefined) closeFd(fd);
      this.#input = input?.second ?? -1;
      this.#output = output.first;
      this.#errors = errors.first;
      void send(words.second, JSON.stringify(request));
    } catch (error) {
      for (const { first, second } of pipes) {
        closeFd(first);
        closeFd(second);
      }
      throw error;
    }
    void this.#child.exited.then(() => {
      this.#exited = true;
    });
  }

  /** The next piece of what it says; undefined: that was all, and it has done well. @throws what the child found wrong. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#output === -1) return undefined;
    const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const { bytesRead } = await readFile(this.#output, buffer, 0, BUFFER_BYTES, null);
    if (bytesRead > 0) return buffer.subarray(0, bytesRead);
    await this.end();
    return undefined;
  }

  /** Resolves when the child has room for more; false: it takes no more, `end` tells why. */
  async write(chunk: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < chunk.length; )
        at += (await writeFile(this.#input, chunk, at, chunk.length - at)).bytesWritten;
      return true;
    } catch (error) {
      if (errnoCodeOf(error) !== 'EPIPE') throw error;
      return false;
    }
  }

  /** No more input. */
  async closeInput(): Promise<void> {
    const input = this.#input;
    this.#input = -1;
    if (input !== -1) await closeFile(input);
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

  /** Wait for its end; a second call does nothing. @throws what the child found wrong, unless it was killed. */
  async end(): Promise<void> {
    const [output, errors] = [this.#output, this.#errors];
    this.#output = this.#errors = -1;
    if (errors === -1) return;
    await closeFile(output);
    await this.closeInput();
    try {
      const buffer = Buffer.alloc(MAX_ERROR_BYTES);
      const { bytesRead } = await readFile(errors, buffer, 0, MAX_ERROR_BYTES, null);
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
    return new EngineError(
      'internal',
      `Cannot work in root: the child ended with code ${code}: ${text.trim()}`,
    );
  }
}
