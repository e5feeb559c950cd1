import { EngineError, messageOf } from '../errors/engine-error.ts';
import { filterThrough } from '../sys/filter.ts';

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

export interface DecompressOptions {
  /** Fail with code size-exceeded once more than this many bytes have come out. */
  limitBytes?: number;
}

/**
 * The uncompressed bytes, all members of a multi-member gzip or zstd stream. The result fails, and the source is cancelled, with
 * EngineError "invalid" code archive-truncated (input too short), archive-hostile (damaged, or followed by anything else) or
 * size-exceeded; errors of the source come through as they are.
 *
 * bzip2 and xz are undone by the programs of these names, as Docker does it for xz: @throws EngineError "unavailable" where one isn't installed.
 */
export function decompress(
  source: ReadableStream<Uint8Array>,
  compression: Compression,
  options: DecompressOptions = {},
): ReadableStream<Uint8Array> {
  if (compression === 'none') {
    return options.limitBytes === undefined ? source : guarded(source, { ...options, compression });
  }
  const failure: SourceFailure = { failed: false };
  const observedSource = observed(source, failure);
  const inflated =
    compression === 'bzip2' || compression === 'xz'
      ? filterThrough(observedSource, PROGRAMS[compression])
      : observedSource.pipeThrough(inflater(compression));
  return guarded(inflated, { ...options, compression, failure });
}

/** xz may ask for as much memory as its header says. */
const PROGRAMS = {
  bzip2: ['bzip2', '-dc'],
  xz: ['xz', '-dcq', '--memlimit-decompress=512MiB'],
} as const;

/** Detect the compression by the first bytes and undo it. */
export async function decompressDetected(
  source: ReadableStream<Uint8Array>,
  options: DecompressOptions = {},
): Promise<{ compression: Compression; stream: ReadableStream<Uint8Array> }> {
  const { head, stream } = await peek(source, magicBytes);
  const compression = detectCompression(head);
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

type ByteTransform = ReadableWritablePair<Uint8Array, Uint8Array>;

/** Bun's streams know zstd; the DOM's types do not yet. */
function inflater(compression: 'gzip' | 'zstd'): ByteTransform {
  return new DecompressionStream(compression as 'gzip') as unknown as ByteTransform;
}

function deflater(compression: 'gzip' | 'zstd'): ByteTransform {
  return new CompressionStream(compression as 'gzip') as unknown as ByteTransform;
}

/** Tells errors of the source from errors of the decoder, which arrive by the same way. */
interface SourceFailure {
  failed: boolean;
}

function observed(source: ReadableStream<Uint8Array>, failure: SourceFailure): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        failure.failed = true;
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

interface Guard extends DecompressOptions {
  compression: Compression;
  failure?: SourceFailure;
}

function guarded(inflated: ReadableStream<Uint8Array>, guard: Guard): ReadableStream<Uint8Array> {
  const reader = inflated.getReader();
  const limit = guard.limitBytes ?? Number.POSITIVE_INFINITY;
  let total = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await nextChunk(reader, guard);
        if (done || value === undefined) return controller.close();
        total += value.byteLength;
        if (total <= limit) return controller.enqueue(value);
        const error = new EngineError('invalid', `Archive is larger than ${limit} bytes when uncompressed`, {
          code: 'size-exceeded',
        });
        await reader.cancel(error).catch(() => undefined);
        throw error;
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

interface ByteReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
}

async function nextChunk(reader: ByteReader, guard: Guard): ReturnType<ByteReader['read']> {
  try {
    return await reader.read();
  } catch (cause) {
    if (guard.failure?.failed !== false) throw cause;
    const short = /unexpected end|ends unexpectedly/i.test(messageOf(cause));
    const reason = short ? 'the stream ends too early' : 'the stream is damaged';
    throw new EngineError('invalid', `Cannot decompress ${guard.compression} archive: ${reason}`, {
      code: short ? 'archive-truncated' : 'archive-hostile',
      cause,
    });
  }
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
