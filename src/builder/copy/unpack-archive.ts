import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { decompressDetected } from '../../archive/compression.ts';
import type { TarEntry } from '../../archive/entry.ts';
import { blockSize, isTarHeader } from '../../archive/tar-header.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { FileNode, OpenContent } from '../sources/file-node.ts';
import { resolvePath } from '../sources/resolve-path.ts';
import type { DraftAttributes, DraftNode } from './draft-node.ts';
import { directoryAttributes } from './make-directories.ts';
import type { UserId } from './user-names.ts';

const PIECE_BYTES = 256 << 10;

export interface UnpackOptions {
  /** Where to. Asked for once it is known that this is an archive. */
  directory: () => DraftNode;
  /** Undefined: the archive's. */
  owner: UserId | undefined;
  /** Seconds. */
  created: number;
  /** A name for the uncompressed archive, on the disk that has room; gone from there at once. */
  scratchFile: string;
  /** Takes a descriptor that must stay open for as long as the draft is read. */
  keep: (fd: number) => void;
  signal: AbortSignal;
}

/**
 * Extract an archive (compressed or not) into the draft, as ADD does: a member takes the place of what stands there, but for directories, which merge; a
 * link on the way to a member is followed inside the directory.
 *
 * @returns false, and nothing was done, when `source` is no archive.
 * @throws EngineError "invalid" for members that lead out, and hard links to nothing.
 */
export async function unpackArchive(source: FileNode, options: UnpackOptions): Promise<boolean> {
  const content = source.open();
  const extraction = new Extraction(options);
  const reader = new TarReader(extraction);
  let scratch: Scratch | undefined;
  let head = Buffer.alloc(0);
  try {
    const { compression, stream } = await decompressDetected(contentStream(content, source.size));
    if (compression !== 'none') scratch = new Scratch(options.scratchFile);
    extraction.open = scratch === undefined ? () => source.open() : scratch.opener();
    for await (const chunk of stream) {
      options.signal.throwIfAborted();
      if (head.length < blockSize) head = Buffer.concat([head, chunk.subarray(0, blockSize - head.length)]);
      scratch?.write(chunk);
      reader.write(chunk);
    }
    reader.finish();
  } catch (error) {
    scratch?.close();
    if (isTarHeader(head) || !(error instanceof EngineError) || error.kind !== 'invalid') throw error;
    return false;
  } finally {
    content.close();
  }
  if (!extraction.hasBegun) scratch?.close();
  else if (scratch !== undefined) options.keep(scratch.fd);
  return extraction.hasBegun;
}

function contentStream(content: OpenContent, size: number): ReadableStream<Uint8Array> {
  let position = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = new Uint8Array(Math.min(PIECE_BYTES, size - position));
        const count = piece.length === 0 ? 0 : content.read(piece, 0, piece.length, position);
        position += count;
        if (count === 0) controller.close();
        else controller.enqueue(piece.subarray(0, count));
      },
    },
    { highWaterMark: 0 },
  );
}

/** The uncompressed archive: a file without a name, which is gone with its descriptor. */
class Scratch {
  readonly fd: number;

  constructor(path: string) {
    this.fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) at += writeSync(this.fd, chunk, at);
  }

  opener(): () => OpenContent {
    return () => ({
      read: (buffer, at, length, position) => readSync(this.fd, buffer, at, length, position),
      close: () => undefined,
    });
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A visitor of the archive that puts its members into the draft. */
class Extraction {
  open: () => OpenContent = () => {
    throw new TypeError('no content yet');
  };
  readonly #options: UnpackOptions;
  #directory: DraftNode | undefined;

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#directory !== undefined;
  }

  entry(entry: TarEntry): void {
    this.#directory ??= this.#options.directory();
    const root = this.#directory;
    if (entry.path === '') return;
    const parent = this.#parentOf(root, entry.path);
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    if (entry.type === 'hardlink') return this.#hardlink(root, parent, { name, entry });
    const attributes = this.#attributes(entry);
    const present = parent.child(name);
    if (present?.type === 'directory' && entry.type === 'directory') return present.change(attributes);
    const { dataOffset: start, sparse } = entry;
    const content = entry.type === 'file' ? { open: this.open, start, sparse } : undefined;
    parent.put(name, attributes, { content });
  }

  #parentOf(root: DraftNode, path: string): DraftNode {
    const slash = path.lastIndexOf('/');
    if (slash === -1) return root;
    const real = resolvePath<DraftNode>(root, path.slice(0, slash), { followLast: true, refuseWayOut }).path;
    let node = root;
    for (const name of real) {
      const child = node.child(name) ?? node.put(name, this.#impliedDirectory());
      if (child.type !== 'directory')
        throw new EngineError('invalid', `Cannot extract ${JSON.stringify(path)}: ${name}: not a directory`);
      node = child;
    }
    return node;
  }

  #impliedDirectory(): DraftAttributes {
    return directoryAttributes({ mode: 0o755, owner: undefined, created: this.#options.created });
  }

  #hardlink(root: DraftNode, parent: DraftNode, { name, entry }: { name: string; entry: TarEntry }): void {
    const target = this.#find(root, entry.linkTarget);
    if (target === undefined || target.type === 'directory')
      throw new EngineError(
        'invalid',
        `Cannot extract ${JSON.stringify(entry.path)}: it links to ${JSON.stringify(entry.linkTarget)}, which is no file here`,
      );
    if (target === parent.child(name)) return;
    const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = this.#attributes(entry);
    target.change({ mode, uid, gid, mtimeSeconds, mtimeNanoseconds });
    parent.link(name, target);
  }

  #find(root: DraftNode, path: string): DraftNode | undefined {
    return resolvePath<DraftNode>(root, path, { followLast: false, refuseWayOut }).node;
  }

  #attributes(entry: TarEntry): DraftAttributes {
    const { type, mode, mtimeSeconds, mtimeNanoseconds, linkTarget, deviceMajor, deviceMinor, xattrs } =
      entry;
    const { uid, gid } = this.#options.owner ?? entry;
    return {
      type: type as DraftAttributes['type'],
      mode,
      uid,
      gid,
      mtimeSeconds,
      mtimeNanoseconds,
      size: type === 'file' ? (entry.sparse?.realSize ?? entry.size) : 0,
      xattrs,
      ...(type === 'symlink' ? { linkTarget } : {}),
      ...(type === 'char' || type === 'block' ? { deviceMajor, deviceMinor } : {}),
    };
  }
}

/** As Docker, for which the directory is all that there is. */
function refuseWayOut(path: string): never {
  throw new EngineError('invalid', `statat ${path.split('/')[0]}: path escapes from parent`, {
    code: 'archive-hostile',
  });
}
