import { constants, createGunzip } from 'node:zlib';
import { EngineError } from '../errors/engine-error.ts';

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

/**
 * The uncompressed bytes of all members of a gzip or zstd stream. Errors of the source come through as they are.
 *
 * @throws EngineError "invalid" code archive-truncated (input too short) or archive-hostile (damaged, or followed by anything else).
 */
export function inflate(
  source: ByteReader,
  compression: 'gzip' | 'zstd',
  options: InflateOptions = {},
): AsyncGenerator<Uint8Array> {
  const lend = options.lend === true;
  return compression === 'gzip' ? gunzip(source, lend) : unzstd(source, lend);
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

/** By the public stream: the call behind it doesn't tell a frame that was cut short. */
async function* unzstd(source: ByteReader, lend: boolean): AsyncGenerator<Uint8Array> {
  // Bun's streams know zstd; the DOM's types do not yet.
  const transform = new DecompressionStream('zstd' as 'gzip');
  const feed = new Feed(source, {
    input: transform.writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>,
    lend,
  });
  const output = transform.readable.getReader();
  try {
    for (;;) {
      const { done, value } = await output.read();
      if (done) return;
      yield value;
      if (lend) takeMemory(value);
    }
  } catch (cause) {
    if (feed.failure !== undefined) throw feed.failure.error;
    throw damaged('zstd', /unexpected end/i.test(String(cause)), cause);
  } finally {
    await output.cancel().catch(() => undefined);
  }
}

/** Moves a source into a decoder. */
class Feed {
  /** Of the source itself. */
  failure: { error: unknown } | undefined;

  constructor(
    source: ByteReader,
    { input, lend }: { input: WritableStreamDefaultWriter<Uint8Array>; lend: boolean },
  ) {
    // What the decoder finds wrong is told on its other side.
    this.#run(source, input, lend).catch(() => undefined);
  }

  async #run(
    source: ByteReader,
    input: WritableStreamDefaultWriter<Uint8Array>,
    lend: boolean,
  ): Promise<void> {
    for (;;) {
      const { done, value } = await this.#read(source, input);
      if (done || value === undefined) break;
      await input.write(value);
      if (lend) takeMemory(value);
    }
    await input.close();
  }

  async #read(
    source: ByteReader,
    input: WritableStreamDefaultWriter<Uint8Array>,
  ): ReturnType<ByteReader['read']> {
    try {
      return await source.read();
    } catch (error) {
      this.failure = { error };
      await input.abort(error);
      throw error;
    }
  }
}

/** What a decoder says of its input. */
export function damaged(compression: string, short: boolean, cause: unknown): EngineError {
  const reason = short ? 'the stream ends too early' : 'the stream is damaged';
  return new EngineError('invalid', `Cannot decompress ${compression} archive: ${reason}`, {
    code: short ? 'archive-truncated' : 'archive-hostile',
    cause,
  });
}
