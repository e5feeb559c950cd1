import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TarEntry } from '../../archive/entry.ts';
import { comparePathBytes } from '../../archive/path-bytes.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import type { OutputSink } from '../../builder/build-session.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { toGoFileMode } from '../filesync/go-file-mode.ts';
import { decodePacket, encodePacket, type FileStat, type Packet } from '../filesync/packet.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { openOutput } from './file-output.ts';
import type { OpenSession } from './session-store.ts';

const PIECE_BYTES = 32 << 10;

/**
 * The client's output of that id, which is a directory: files are listed to it, sorted, before it asks for the content of each, so the archive is
 * kept in `scratch` meanwhile.
 */
export class DirectoryOutput implements OutputSink {
  readonly #session: OpenSession;
  readonly #id: string;
  readonly #scratch: string;

  constructor(session: OpenSession, id: string, scratch: string) {
    this.#session = session;
    this.#id = id;
    this.#scratch = scratch;
  }

  async write(archive: ReadableStream<Uint8Array>, { signal }: { signal: AbortSignal }): Promise<void> {
    await mkdir(this.#scratch, { recursive: true, mode: 0o700 });
    const path = join(this.#scratch, `output-${randomUUID()}`);
    const file = await open(path, 'wx+', 0o600);
    // Gone with this process, whatever becomes of it.
    await rm(path);
    try {
      const entries = await spool(archive, file, signal);
      const stream = openOutput(this.#session, this.#id, { signal });
      try {
        await sendFiles(stream, sortedEntries(entries), file);
      } finally {
        stream.close();
      }
    } finally {
      await file.close();
    }
  }
}

async function spool(
  archive: ReadableStream<Uint8Array>,
  file: FileHandle,
  signal: AbortSignal,
): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => entries.push(entry) });
  for await (const chunk of archive) {
    signal.throwIfAborted();
    reader.write(chunk);
    await file.write(chunk);
  }
  reader.finish();
  return entries;
}

/** Directories before what is in them, names by their bytes; of a path that comes twice the last; missing directories made up. */
function sortedEntries(entries: readonly TarEntry[]): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    if (entry.path === '') continue;
    addParents(entry, byPath);
    byPath.set(entry.path, entry);
  }
  return firstNamesFirst([...byPath.values()].sort((left, right) => comparePaths(left.path, right.path)));
}

/** Of a file with several names the first in order is the file and the others link to it: a receiver makes them in that order. */
function firstNamesFirst(entries: readonly TarEntry[]): TarEntry[] {
  const firstNames = new Map<string, string>();
  const files = new Map(entries.filter(({ type }) => type === 'file').map((entry) => [entry.path, entry]));
  return entries.map((entry) => {
    const target = entry.type === 'hardlink' ? entry.linkTarget : entry.path;
    const file = files.get(target);
    if (file === undefined) return entry;
    const first = firstNames.get(target);
    if (first === undefined) firstNames.set(target, entry.path);
    if (first !== undefined) return { ...file, path: entry.path, type: 'hardlink', linkTarget: first };
    return { ...file, path: entry.path };
  });
}

function addParents(entry: TarEntry, byPath: Map<string, TarEntry>): void {
  for (let at = entry.path.indexOf('/'); at >= 0; at = entry.path.indexOf('/', at + 1)) {
    const path = entry.path.slice(0, at);
    if (byPath.has(path)) continue;
    const made = {
      mode: 0o755,
      uid: 0,
      gid: 0,
      size: 0,
      linkTarget: '',
      xattrs: new Map<string, Uint8Array>(),
    };
    byPath.set(path, { ...entry, ...made, path, type: 'directory', sparse: undefined });
  }
}

/** `/` comes before every other byte. */
function comparePaths(left: string, right: string): number {
  const [lefts, rights] = [left.split('/'), right.split('/')];
  for (const [at, name] of lefts.entries()) {
    const other = rights[at];
    if (other === undefined) return 1;
    const order = comparePathBytes(name, other);
    if (order !== 0) return order;
  }
  return lefts.length - rights.length;
}

async function sendFiles(stream: GrpcStream, entries: readonly TarEntry[], file: FileHandle): Promise<void> {
  const send = (packet: Packet): Promise<void> => stream.send(encodePacket(packet));
  const requests = stream.messages();
  const listed = (async () => {
    for (const entry of entries) await send({ type: 'stat', stat: statOf(entry) });
    await send({ type: 'stat', stat: undefined });
  })();
  listed.catch(() => undefined);
  for await (const message of requests) {
    const packet = decodePacket(message);
    if (packet.type === 'error') throw new EngineError('invalid', `error from receiver: ${packet.message}`);
    if (packet.type === 'request') await sendContent(packet.id, { entry: entries[packet.id], file, send });
    if (packet.type !== 'finish') continue;
    await listed;
    await send({ type: 'finish' });
    stream.finish();
  }
  await listed;
}

interface Content {
  entry: TarEntry | undefined;
  file: FileHandle;
  send: (packet: Packet) => Promise<void>;
}

async function sendContent(id: number, { entry, file, send }: Content): Promise<void> {
  if (entry?.type !== 'file') throw new EngineError('invalid', `invalid file id ${id}`);
  for (let at = 0; at < entry.size; ) {
    const length = Math.min(PIECE_BYTES, entry.size - at);
    const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, entry.dataOffset + at);
    if (bytesRead === 0) break;
    await send({ type: 'data', id, data: buffer.subarray(0, bytesRead) });
    at += bytesRead;
  }
  await send({ type: 'data', id, data: new Uint8Array() });
}

function statOf(entry: TarEntry): FileStat {
  const { path, type, mode, uid, gid, size, linkTarget, deviceMajor, deviceMinor, xattrs } = entry;
  return {
    path,
    mode: toGoFileMode(type === 'hardlink' ? 'file' : type, mode),
    uid,
    gid,
    sizeBytes: BigInt(size),
    mtimeNano: BigInt(entry.mtimeSeconds) * 1_000_000_000n + BigInt(entry.mtimeNanoseconds),
    linkname: linkTarget,
    deviceMajor,
    deviceMinor,
    xattrs,
  };
}
