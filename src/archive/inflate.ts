import { constants, createGunzip } from 'node:zlib';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import { filterThrough } from '../sys/filter.ts';

export interface InflateOptions {
  /**
   * Each piece is valid only until the next is asked for, and the memory of the source's pieces is taken once they are read: a layer then passes
   * through a few hundred kilobytes, where garbage would pile up to a hundred megabytes before it is collected.
   */
  lend?: boolean | undefined;
}

/** A byte stream as far as it is read here; `cancel` ends a read that is under way. */
export interface ByteReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason?: unknown): Promise<void>;
}

/** What `inflate` undoes. */
export type Inflatable = 'gzip' | 'zstd' | 'bzip2' | 'xz';

/**
 * The uncompressed bytes of all members of a stream. Errors of the source come through as they are.
 *
 * @throws EngineError "unavailable" where the program for bzip2 or xz isn't installed; EngineError "invalid" code archive-truncated (input too short) or archive-hostile (damaged, or followed by anything else).
 */
export function inflate(
  source: ByteReader,
  compression: Inflatable,
  options: InflateOptions = {},
): AsyncGenerator<Uint8Array> {
  const lend = options.lend === true;
  if (compression === 'gzip') return gunzip(source, lend);
  if (compression === 'zstd') return unzstd(source, lend);
  return byProgram(source, compression, lend);
}

/** Give the memory of a piece back now, unless it is a view of something larger. The collector doesn't see its weight and would let it pile up. */
export function takeMemory(piece: Uint8Array): void {
  const { buffer } = piece;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === piece.byteLength) buffer.transfer(0);
}

async function* gunzip(source: ByteReader, lend: boolean): AsyncGenerator<Uint8Array> {
  const inflater = new GzipInflater();
  try {
    for (;;) {
      const { done, value } = await source.read();
      if (done || value === undefined) break;
      for (const piece of inflater.pieces(value)) {
        yield lend ? piece : piece.slice();
        await turnOfOthers();
      }
      if (lend) takeMemory(value);
    }
    inflater.finish();
  } finally {
    inflater.close();
  }
}

/** A piece that expands a thousandfold must not hold up what else its thread has to do. */
function turnOfOthers(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const PIECE_BYTES = 256 << 10;

/** What stands behind every stream of `node:zlib`, in Node and in Bun: one call of zlib's inflate with the caller's own buffers. */
interface ZlibHandle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
}

/**
 * Zlib called piece by piece with one buffer for its output. The public streams allocate each piece and hold several in their queues, and take longer
 * for it: a fifth more than this.
 */
class GzipInflater {
  readonly #stream = createGunzip();
  readonly #handle: ZlibHandle;
  /** Left over after a call: output space, input bytes. */
  readonly #left: Uint32Array;
  readonly #output = new Uint8Array(PIECE_BYTES);
  #error: EngineError | undefined;

  constructor() {
    const { _handle, _writeState } = this.#stream as unknown as {
      _handle: ZlibHandle;
      _writeState: Uint32Array;
    };
    this.#handle = _handle;
    this.#left = _writeState;
    _handle.onerror = (message, _, code) => {
      this.#error = damaged('gzip', code === 'Z_BUF_ERROR', new Error(message));
    };
  }

  /** Each is valid until the next. */
  *pieces(input: Uint8Array): Generator<Uint8Array> {
    for (let at = 0, more = true; more; ) {
      const { space, used } = this.#call(constants.Z_NO_FLUSH, input, at);
      at += used;
      if (space < PIECE_BYTES) yield this.#output.subarray(0, PIECE_BYTES - space);
      more = space === 0;
      // With space left it has taken all that belongs to the stream.
      if (!more && at < input.length) throw damaged('gzip', false, new Error('bytes after the end'));
    }
  }

  /** The input is complete. */
  finish(): void {
    this.#call(constants.Z_FINISH, new Uint8Array(), 0);
  }

  close(): void {
    this.#stream.close();
  }

  #call(flush: number, input: Uint8Array, at: number): { space: number; used: number } {
    const length = input.length - at;
    this.#handle.writeSync(flush, input, at, length, this.#output, 0, PIECE_BYTES);
    if (this.#error !== undefined) throw this.#error;
    const [space = 0, rest = 0] = this.#left;
    return { space, used: length - rest };
  }
}

/** Of a decoder's source itself, told apart from what the decoder finds wrong, which arrives by the same way. */
interface SourceFailure {
  happened?: { error: unknown };
}

/** By the public stream: the call behind it doesn't tell a frame that was cut short. */
async function* unzstd(source: ByteReader, lend: boolean): AsyncGenerator<Uint8Array> {
  // Bun's streams know zstd; the DOM's types do not yet.
  const transform = new DecompressionStream('zstd' as 'gzip');
  const failure: SourceFailure = {};
  const input = transform.writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
  // What the decoder finds wrong is told on its other side.
  feed(watched(source, failure), input, lend).catch(() => undefined);
  yield* decoded(transform.readable, { compression: 'zstd', failure, lend });
}

async function feed(
  source: ByteReader,
  input: WritableStreamDefaultWriter<Uint8Array>,
  lend: boolean,
): Promise<void> {
  try {
    for (;;) {
      const { done, value } = await source.read();
      if (done || value === undefined) break;
      await input.write(value);
      if (lend) takeMemory(value);
    }
    await input.close();
  } catch (error) {
    await input.abort(error);
  }
}

/** xz may ask for as much memory as its header says. */
const PROGRAMS = {
  bzip2: ['bzip2', '-dc'],
  xz: ['xz', '-dcq', '--memlimit-decompress=512MiB'],
} as const;

async function* byProgram(
  source: ByteReader,
  compression: 'bzip2' | 'xz',
  lend: boolean,
): AsyncGenerator<Uint8Array> {
  const failure: SourceFailure = {};
  const reader = watched(source, failure);
  const input = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done || value === undefined) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  yield* decoded(filterThrough(input, PROGRAMS[compression]), { compression, failure, lend });
}

function watched(source: ByteReader, failure: SourceFailure): ByteReader {
  return {
    async read() {
      try {
        return await source.read();
      } catch (error) {
        failure.happened = { error };
        throw error;
      }
    },
    cancel: (reason) => source.cancel(reason),
  };
}

async function* decoded(
  stream: ReadableStream<Uint8Array>,
  { compression, failure, lend }: { compression: Inflatable; failure: SourceFailure; lend: boolean },
): AsyncGenerator<Uint8Array> {
  const output = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await output.read();
      if (done) return;
      yield value;
      if (lend) takeMemory(value);
    }
  } catch (cause) {
    if (failure.happened !== undefined) throw failure.happened.error;
    throw damaged(compression, /unexpected end|ends unexpectedly/i.test(messageOf(cause)), cause);
  } finally {
    await output.cancel().catch(() => undefined);
  }
}

function damaged(compression: Inflatable, short: boolean, cause: unknown): EngineError {
  const reason = short ? 'the stream ends too early' : 'the stream is damaged';
  return new EngineError('invalid', `Cannot decompress ${compression} archive: ${reason}`, {
    code: short ? 'archive-truncated' : 'archive-hostile',
    cause,
  });
}
