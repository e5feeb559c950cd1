import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type FileId, fileId, parseFileId } from './file-id.ts';

/** What a journal's file was before it was packed. */
export interface PackedOrigin {
  id: FileId;
  /** Undefined: only its content tells. */
  lastNano: bigint | undefined;
}

export const PACKED = '.gz';

const O_TMPFILE = 0o20200000;
const HEADER_BYTES = 160;
/** A gzip member with a comment, no time, made on Unix, and no content: RFC 1952. */
const EMPTY_MEMBER_HEAD = Uint8Array.of(0x1f, 0x8b, 8, 0x10, 0, 0, 0, 0, 0, 3);
const EMPTY_MEMBER_TAIL = Uint8Array.of(0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const FAST = 1;
const BLOCK_BYTES = 256 << 10;

export function isPacked(path: string): boolean {
  return path.endsWith(PACKED);
}

/**
 * Write `file` gzipped to `target`, synced. It is any gzip's to read; a first member without content tells what the file was, so that
 * those who are reading it know it again.
 */
export async function pack(file: FileHandle, target: string, origin: PackedOrigin): Promise<void> {
  const output = await open(target, 'w', 0o640);
  try {
    await output.write(emptyMember(`sampan file=${origin.id} last=${origin.lastNano ?? ''}`));
    await pipeline(contentOf(file), createGzip({ level: FAST }), (packed) => append(output, packed));
    await output.sync();
  } finally {
    await output.close();
  }
}

/** Whose content a file has: its own, or what its first member says. */
export async function readOrigin(path: string, file: FileHandle): Promise<PackedOrigin> {
  const own = { id: fileId(await file.stat({ bigint: true })), lastNano: undefined };
  if (!isPacked(path)) return own;
  const head = Buffer.alloc(HEADER_BYTES);
  await file.read(head, 0, HEADER_BYTES, 0);
  const match = /^sampan file=([\d.]+) last=(\d*)\0/.exec(head.toString('latin1', EMPTY_MEMBER_HEAD.length));
  const id = parseFileId(match?.[1] ?? '');
  if (id === undefined) return own;
  return { id, lastNano: match?.[2] ? BigInt(match[2]) : undefined };
}

/** The content of a packed file in a file without a name, which goes with its last descriptor. */
export async function unpack(path: string, file: FileHandle): Promise<FileHandle> {
  const content = await openNameless(path);
  try {
    await pipeline(contentOf(file), createGunzip(), (plain) => append(content, plain));
    return content;
  } catch (error) {
    await content.close();
    throw error;
  }
}

async function* contentOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, BLOCK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function append(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

async function openNameless(beside: string): Promise<FileHandle> {
  try {
    return await open(dirname(beside), O_TMPFILE | constants.O_RDWR, 0o600);
  } catch {
    // A file system that knows no such files.
    const name = `${beside}.${randomUUID()}`;
    const file = await open(name, 'wx+', 0o600);
    await rm(name);
    return file;
  }
}

function emptyMember(comment: string): Buffer {
  return Buffer.concat([EMPTY_MEMBER_HEAD, Buffer.from(comment, 'latin1'), EMPTY_MEMBER_TAIL]);
}
