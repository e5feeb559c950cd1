import { describe, expect, test } from 'bun:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { EngineError } from '../errors/engine-error.ts';
import type { DecompressOptions } from './compression.ts';
import { compress, decompress, decompressDetected, detectCompression } from './compression.ts';

const text = Buffer.from('three planks make a boat. '.repeat(20_000));
const half = text.length / 2;
const empty = Buffer.alloc(0);

function streamOf(bytes: Uint8Array, pieceBytes = 1000): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + pieceBytes));
      at += pieceBytes;
    },
  });
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function undone(bytes: Uint8Array, options: DecompressOptions = {}): Promise<Buffer> {
  return bytesOf((await decompressDetected(streamOf(bytes), options)).stream);
}

async function lentBytes(source: ReadableStream<Uint8Array>): Promise<Buffer> {
  const { stream } = await decompressDetected(source, { lend: true });
  const copies: Buffer[] = [];
  for await (const piece of stream) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'taken',
    (error: unknown) => (error instanceof EngineError ? (error.code ?? error.kind) : error),
  );
}

const skippable = Buffer.from('502a4d180400000001020304', 'hex');

describe('decompressDetected()', () => {
  test.each([
    ['none', text],
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text)],
  ] as const)('%s', async (compression, bytes) => {
    const { compression: found, stream } = await decompressDetected(streamOf(bytes));
    expect(found).toBe(compression);
    expect((await bytesOf(stream)).equals(text)).toBe(true);
  });

  test('all members of a gzip stream, as pigz and estargz write them, empty ones too', async () => {
    const members = [empty, text.subarray(0, half), empty, text.subarray(half), empty];
    const bytes = Buffer.concat(members.map((part) => gzipSync(part)));
    expect((await undone(bytes)).equals(text)).toBe(true);
  });

  test('all frames of a zstd stream, skippable ones passed over', async () => {
    const frames = [skippable, zstdCompressSync(text.subarray(0, half)), skippable];
    const bytes = Buffer.concat([...frames, zstdCompressSync(text.subarray(half)), skippable]);
    expect((await undone(bytes)).equals(text)).toBe(true);
  });

  test('an empty stream and one shorter than a magic number', async () => {
    expect(await undone(empty)).toHaveLength(0);
    expect((await undone(Buffer.from('ab'))).toString()).toBe('ab');
  });

  test.each([
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text)],
  ])('%s cut anywhere is an error, never a short success', async (_, whole) => {
    for (const bytes of [whole, Buffer.concat([whole, whole])])
      for (const length of [7, 20, bytes.length - 9, bytes.length - 1])
        if (length !== whole.length)
          expect(await codeOf(undone(bytes.subarray(0, length)))).toBe('archive-truncated');
  });

  test('damage and trailing garbage', async () => {
    const damaged = Buffer.from(gzipSync(text));
    damaged[damaged.length - 6]! ^= 0xff;
    expect(await codeOf(undone(damaged))).toBe('archive-hostile');
    for (const garbage of [Buffer.from('garbage'), Buffer.alloc(100)]) {
      expect(await codeOf(undone(Buffer.concat([gzipSync(text), garbage])))).toBe('archive-hostile');
      expect(await codeOf(undone(Buffer.concat([zstdCompressSync(text), garbage])))).toBe('archive-hostile');
    }
  });

  test('more than 1,100 times what was read, and the allowance, is no archive; plain bytes have no limit', async () => {
    const zeros = Buffer.alloc(64 << 20);
    const bomb = zstdCompressSync(zeros);
    const limit = bomb.length * 1100;
    expect(await undone(bomb, { allowanceBytes: zeros.length - limit })).toHaveLength(zeros.length);
    expect(await codeOf(undone(bomb, { allowanceBytes: zeros.length - limit - 1 }))).toBe('size-exceeded');
    expect(await undone(text, { allowanceBytes: 0 })).toHaveLength(text.length);
    expect(await undone(gzipSync(zeros), { allowanceBytes: 0 })).toHaveLength(zeros.length);
  });

  test('a bomb ends at the limit, and its source is cancelled', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 << 20));
    let cancelled = false;
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bomb),
      cancel: () => void (cancelled = true),
    });
    const { stream } = await decompressDetected(source, { allowanceBytes: 1 << 20 });
    expect(await codeOf(bytesOf(stream))).toBe('size-exceeded');
    expect(cancelled).toBe(true);
  });

  test.each(['bzip2', 'xz'] as const)(
    '%s goes through its program; cut and damaged streams are told',
    async (name) => {
      const packed = Bun.spawnSync([name, '-c'], { stdin: text }).stdout;
      expect(detectCompression(packed)).toBe(name);
      expect(Buffer.from(await undone(packed)).equals(Buffer.from(text))).toBe(true);
      expect(await codeOf(undone(packed.subarray(0, packed.length - 8)))).toBe('archive-truncated');
      const damaged = Buffer.from(packed);
      damaged.fill(0x55, damaged.length >> 1, (damaged.length >> 1) + 8);
      expect(await codeOf(undone(damaged))).toBe('archive-hostile');
    },
  );

  test.each([
    ['none', text],
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text)],
  ] as const)('lent pieces of %s come right, and the memory of the source goes at once', async (_, bytes) => {
    const given: Uint8Array[] = [];
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 1000)
          given.push(new Uint8Array(bytes.subarray(at, at + 1000)));
        for (const piece of given) controller.enqueue(piece);
        controller.close();
      },
    });
    expect((await lentBytes(source)).equals(text)).toBe(true);
    expect(given.map((piece) => piece.length)).toEqual(given.map(() => 0));
  });

  test('what is not lent, or shares its memory, is left alone', async () => {
    const bytes = gzipSync(text);
    const whole = new Uint8Array(bytes);
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(whole);
        controller.close();
      },
    });
    expect((await bytesOf((await decompressDetected(source)).stream)).equals(text)).toBe(true);
    expect(whole).toHaveLength(bytes.length);
    expect((await lentBytes(streamOf(whole, 1000))).equals(text)).toBe(true);
    expect(whole).toHaveLength(bytes.length);
  });

  test('an error of the source comes through as it is', async () => {
    const failure = new EngineError('unavailable', 'connection lost');
    const bytes = gzipSync(text).subarray(0, 100);
    let first = true;
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (first) controller.enqueue(bytes);
        else controller.error(failure);
        first = false;
      },
    });
    const { stream } = await decompressDetected(source);
    expect(await codeOf(bytesOf(stream))).toBe('unavailable');
  });
});

describe('compress()', () => {
  test('what other decoders read', async () => {
    const gzip = await bytesOf(compress(streamOf(text), 'gzip'));
    const zstd = await bytesOf(compress(streamOf(text), 'zstd'));
    expect(gunzipSync(gzip).equals(text)).toBe(true);
    expect(zstdDecompressSync(zstd).equals(text)).toBe(true);
    expect((await bytesOf(compress(streamOf(text), 'none'))).equals(text)).toBe(true);
  });

  test('the same bytes give the same bytes, however they are cut', async () => {
    const one = await bytesOf(compress(streamOf(text, 1000), 'gzip'));
    const two = await bytesOf(compress(streamOf(text, 77_777), 'gzip'));
    expect(one.equals(two)).toBe(true);
  });

  test('decompress(compress(x)) is x', async () => {
    for (const kind of ['gzip', 'zstd', 'none'] as const)
      expect((await bytesOf(decompress(compress(streamOf(text), kind), kind))).equals(text)).toBe(true);
  });
});
