import { EngineError } from '../errors/engine-error.ts';
import { type ByteReader, type InflateOptions, inflate, takeMemory } from './inflate.ts';

/** What the first bytes of an archive say of its compression. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Bytes that `detectCompression` wants to see; fewer are fine when there are no more. */
export const magicBytes = 6;

/** By magic number, never by name or media type. zstd may begin with a skippable frame. */
export function detectCompression(head: Uint8Array): Compression {
  if (startsWith(head, [0x1f, 0x8b, 0x08])) return 'gzip';
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  if (((head[0] ?? 0) & 0xf0) === 0x50 && startsWith(head.subarray(1), [0x2a, 0x4d, 0x18])) return 'zstd';
  if (startsWith(head, [0x42, 0x5a, 0x68])) return 'bzip2';
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return 'xz';
  return 'none';
}

function startsWith(head: Uint8Array, magic: number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}

/** Deflate's own limit is 1:1032; denser formats have the allowance. */
const MAX_EXPANSION = 1100;
const EXPANSION_ALLOWANCE = 1 << 30;

export interface DecompressOptions extends InflateOptions {
  /** Bytes that may come out besides `MAX_EXPANSION` for each that was read. */
  allowanceBytes?: number;
}

/**
 * The uncompressed bytes, all members of a multi-member gzip or zstd stream. The result fails, and the source is cancelled, with
 * EngineError "invalid" code archive-truncated (input too short), archive-hostile (damaged, or followed by anything else) or
 * size-exceeded (more came out than any honest archive holds); errors of the source come through as they are.
 *
 * bzip2 and xz are undone by the programs of these names, as Docker does it for xz: EngineError "unavailable" where one isn't installed.
 */
export function decompress(
  source: ReadableStream<Uint8Array>,
  compression: Compression,
  options: DecompressOptions = {},
): ReadableStream<Uint8Array> {
  const reader = new CountingReader(source.getReader());
  const pieces = compression === 'none' ? readAll(reader, options) : inflate(reader, compression, options);
  return limited(pieces, { reader, allowanceBytes: options.allowanceBytes ?? EXPANSION_ALLOWANCE });
}

class CountingReader implements ByteReader {
  readonly #reader: ByteReader;
  bytes = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  async read(): ReturnType<ByteReader['read']> {
    const piece = await this.#reader.read();
    this.bytes += piece.value?.byteLength ?? 0;
    return piece;
  }

  async cancel(reason?: unknown): Promise<void> {
    await this.#reader.cancel(reason);
  }
}

/** Detect the compression by the first bytes and undo it. */
export async function decompressDetected(
  source: ReadableStream<Uint8Array>,
  options: DecompressOptions = {},
): Promise<{ compression: Compression; stream: ReadableStream<Uint8Array> }> {
  const { compression, stream } = await detectStream(source);
  try {
    return { compression, stream: decompress(stream, compression, options) };
  } catch (error) {
    await stream.cancel(error);
    throw error;
  }
}

/**
 * Compressed bytes at the library's default level. The same bytes give the same output with the same version of Bun, however `source`
 * cuts them: the compressors' output depends on their input's cuts, so those are made even first.
 */
export function compress(
  source: ReadableStream<Uint8Array>,
  compression: 'none' | 'gzip' | 'zstd',
): ReadableStream<Uint8Array> {
  if (compression === 'none') return source;
  return evenly(source).pipeThrough(deflater(compression));
}

const evenBytes = 256 << 10;

/** The same bytes in pieces of `evenBytes`, the last one shorter. */
function evenly(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let rest: Uint8Array = new Uint8Array();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = new Uint8Array(evenBytes);
        let fill = 0;
        while (fill < evenBytes) {
          if (rest.length === 0) {
            const { done, value } = await reader.read();
            if (done) break;
            rest = value;
          }
          const taken = rest.subarray(0, evenBytes - fill);
          piece.set(taken, fill);
          fill += taken.length;
          rest = rest.subarray(taken.length);
        }
        if (fill > 0) controller.enqueue(piece.subarray(0, fill));
        if (fill < evenBytes) controller.close();
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Bun's streams know zstd; the DOM's types do not yet. */
function deflater(compression: 'gzip' | 'zstd'): ReadableWritablePair<Uint8Array, Uint8Array> {
  return new CompressionStream(compression as 'gzip') as unknown as ReadableWritablePair<
    Uint8Array,
    Uint8Array
  >;
}

async function* readAll(reader: ByteReader, { lend }: InflateOptions): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) return;
    yield value;
    if (lend === true) takeMemory(value);
  }
}

/** `pieces`, which come from `reader`, as a stream that ends both. */
function limited(
  pieces: AsyncGenerator<Uint8Array>,
  { reader, allowanceBytes }: { reader: CountingReader; allowanceBytes: number },
): ReadableStream<Uint8Array> {
  const end = async (reason: unknown): Promise<void> => {
    await reader.cancel(reason).catch(() => undefined);
    await pieces.return(undefined).catch(() => undefined);
  };
  let total = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next().catch(async (error: unknown) => {
          await end(error);
          throw error;
        });
        if (done === true) return controller.close();
        total += value.byteLength;
        const limitBytes = reader.bytes * MAX_EXPANSION + allowanceBytes;
        if (total <= limitBytes) return controller.enqueue(value);
        const error = new EngineError(
          'invalid',
          `Archive is larger than ${limitBytes} bytes when uncompressed: more than ${MAX_EXPANSION} times its size`,
          { code: 'size-exceeded', hint: 'If that is meant, uncompress it first, as by `zstd -d`.' },
        );
        await end(error);
        throw error;
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

/** What a stream is compressed with, and the stream as it was. */
export async function detectStream(
  source: ReadableStream<Uint8Array>,
): Promise<{ compression: Compression; stream: ReadableStream<Uint8Array> }> {
  const { head, stream } = await peek(source, magicBytes);
  return { compression: detectCompression(head), stream };
}

/** The first `length` bytes (fewer at the end of the stream) and a stream that still has them. */
async function peek(
  source: ReadableStream<Uint8Array>,
  length: number,
): Promise<{ head: Uint8Array; stream: ReadableStream<Uint8Array> }> {
  const reader = source.getReader();
  const chunks: Uint8Array[] = [];
  let ended = false;
  for (let seen = 0; seen < length && !ended; ) {
    const { done, value } = await reader.read();
    if (done) ended = true;
    else {
      chunks.push(value);
      seen += value.byteLength;
    }
  }
  const head = Buffer.concat(chunks.map((chunk) => chunk.subarray(0, length))).subarray(0, length);
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = chunks.shift();
        if (next !== undefined) return controller.enqueue(next);
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { head, stream };
}
