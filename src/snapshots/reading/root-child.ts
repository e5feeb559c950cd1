import {
  deserializeError,
  EngineError,
  errnoCodeOf,
  type SerializedError,
} from '../../errors/engine-error.ts';
import { FdSocket } from '../../sys/fd-socket.ts';
import { closeFd } from '../../sys/pipe.ts';
import type { DetachedChild } from '../../sys/spawn.ts';
import { waitingChild } from './child-process.ts';

const MAX_ERROR_BYTES = 64 << 10;

/**
 * A child process that makes a container's root its root, in a mount namespace of its own (`ownMounts`), and works there. What it says comes on its
 * stdout, an error as JSON on its stderr, its request comes on the fd `requestFd`. It ends when its input does, or nobody reads its output.
 */
export class RootChild {
  readonly #child: DetachedChild;
  readonly #input: FdSocket | undefined;
  readonly #output: FdSocket;
  readonly #errors: FdSocket;
  #ended = false;
  #exited = false;
  #killed = false;

  /** `program`: path of a TypeScript file. `input`: bytes for its stdin will follow. */
  constructor(program: string, request: unknown, options: { input: boolean } = { input: false }) {
    const { process: child, words, input, output, errors } = waitingChild(program);
    this.#child = child;
    this.#output = new FdSocket(output);
    this.#errors = new FdSocket(errors);
    if (options.input) this.#input = new FdSocket(input);
    else closeFd(input);
    void send(new FdSocket(words), JSON.stringify(request));
    void this.#child.exited.then(() => {
      this.#exited = true;
    });
  }

  /** The next piece of what it says; undefined: that was all, and it has done well. @throws what the child found wrong. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const bytes = await this.#output.read();
    if (bytes === undefined) await this.end();
    return bytes;
  }

  /** Resolves when the child has room for more; false: it takes no more, `end` tells why. */
  async write(chunk: Uint8Array): Promise<boolean> {
    return (await this.#input?.write(chunk)) === true;
  }

  /** No more input. */
  async closeInput(): Promise<void> {
    await this.#input?.end();
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
    if (this.#ended) return;
    this.#ended = true;
    await this.#output.close();
    await this.#input?.close();
    try {
      const said = await allOf(this.#errors);
      const code = await this.#child.exited;
      if (code !== 0 && !this.#killed) throw errorOf(said, code);
    } finally {
      await this.#errors.close();
    }
  }
}

async function allOf(socket: FdSocket): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let chunk = await socket.read(); chunk !== undefined; chunk = await socket.read()) {
    if (size < MAX_ERROR_BYTES) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_ERROR_BYTES);
}

/** Not by an argument, of which the kernel takes 128 KiB. A child that has ended tells so itself. */
async function send(socket: FdSocket, text: string): Promise<void> {
  await socket.write(Buffer.from(text));
  await socket.close();
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
