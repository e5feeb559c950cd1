import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decompressDetected } from '../../archive/compression.ts';
import type { TarEntry } from '../../archive/entry.ts';
import { blockSize, isTarHeader } from '../../archive/tar-header.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { IndexBuilder } from '../../snapshots/erofs/index-builder.ts';
import { SideFile } from '../../snapshots/erofs/side-file.ts';
import type { FilePlace } from './file-place.ts';

const MAX_DOCKERFILE_BYTES = 2 << 20;

export interface ReceiveOptions {
  /** Made where it is missing. */
  directory: string;
  /** What is no archive is a Dockerfile, the tree's only file. */
  orDockerfile: boolean;
  signal: AbortSignal;
}

/**
 * Make a tree of the archive `file` (compressed or not) without unpacking it: an index beside it, and the uncompressed tar where it was compressed.
 *
 * @throws EngineError "invalid" for what is no archive, or a hostile one.
 */
export async function receiveArchiveContext(file: string, options: ReceiveOptions): Promise<FilePlace> {
  const { directory, signal } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const side = new SideFile(join(directory, 'context.side'));
  const index = new IndexBuilder(side, { plain: true });
  let head = Buffer.alloc(0);
  const reader = new TarReader({
    entry: (entry: TarEntry) => {
      if (entry.path !== '' || entry.type === 'directory') index.entry(entry);
    },
    data: (chunk) => index.data(chunk),
  });
  let tar = file;
  try {
    const { compression, stream } = await decompressDetected(Bun.file(file).stream());
    if (compression !== 'none') tar = join(directory, 'context.tar');
    const out = compression === 'none' ? undefined : await open(tar, 'wx', 0o600);
    try {
      for await (const chunk of stream) {
        signal.throwIfAborted();
        if (head.length < blockSize) head = Buffer.concat([head, chunk.subarray(0, blockSize - head.length)]);
        reader.write(chunk);
        if (out !== undefined) await writeAll(out, chunk);
      }
    } finally {
      await out?.close();
    }
    reader.finish();
    const { image } = index.finish(reader.offset);
    const path = join(directory, 'context.erofs');
    await writeFile(path, image.bytes, { mode: 0o600 });
    side.finish();
    return { kind: 'archive', index: path, data: [tar, join(directory, 'context.side')] };
  } catch (error) {
    side.close();
    const isInvalid = error instanceof EngineError && error.kind === 'invalid';
    if (options.orDockerfile && isInvalid && !isTarHeader(head)) return await dockerfileAlone(file);
    throw error;
  }
}

async function dockerfileAlone(file: string): Promise<FilePlace> {
  if (Bun.file(file).size > MAX_DOCKERFILE_BYTES)
    throw new EngineError('invalid', `dockerfile is bigger than allowed max size (${MAX_DOCKERFILE_BYTES})`);
  return { kind: 'texts', texts: [{ name: 'Dockerfile', data: await readFile(file, 'utf8') }] };
}

async function writeAll(
  file: { write(chunk: Uint8Array, at: number): Promise<{ bytesWritten: number }> },
  chunk: Uint8Array,
): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}
