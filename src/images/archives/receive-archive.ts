import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { decompressDetected, detectCompression, magicBytes } from '../../archive/compression.ts';
import type { TarEntry } from '../../archive/entry.ts';
import { cleanMemberPath } from '../../archive/member-path.ts';
import { TarReader, type TarVisitor } from '../../archive/tar-reader.ts';
import type { Ingest } from '../../content/content-store.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { algorithmOf, type Digest, isDigest } from '../../oci/digest.ts';
import type { ArchivePorts, ReceivedArchive, ReceivedFile } from './received-archive.ts';
import { type SmallBlob, SmallBlobs } from './small-blobs.ts';

/** Members of one archive; one of 127 layers in Docker's oldest form has 400. */
const MAX_MEMBERS = 50_000;
/** JSON is kept in memory; more than so much of it in one file, or in all, is none of ours. */
const MAX_DOCUMENT_BYTES = 20 << 20;
const MAX_DOCUMENTS_BYTES = 64 << 20;
/** Each is a file of its own and a sync; the largest archives of thousands of images have as many. */
const MAX_BLOBS = 16_384;
/** Blobs that are synced while the next are read. */
const COMMITS_AT_ONCE = 8;

/**
 * Read an archive of images in one pass: JSON into memory, everything else into the content store, digests taken and those that names promise checked on the way.
 * What is stored already is skipped. Order and completeness don't matter. Small blobs that carry their digest as their name wait in memory, and those that no
 * document of the archive names are let go: a million of them costs no more than reading them.
 *
 * @throws EngineError "invalid" codes archive-hostile, archive-truncated, digest-mismatch, size-exceeded; what `source` throws.
 */
export async function receiveArchive(
  source: ReadableStream<Uint8Array>,
  ports: ArchivePorts,
): Promise<ReceivedArchive> {
  const members = new Members();
  const reader = new TarReader(members, { entries: MAX_MEMBERS });
  const receiver = new Receiver(ports);
  try {
    const { stream } = await decompressDetected(source);
    for await (const chunk of stream) {
      ports.signal.throwIfAborted();
      reader.write(chunk);
      for (const step of members.take()) await receiver.take(step);
    }
    reader.finish();
    return await receiver.finish();
  } catch (error) {
    await receiver.abort();
    throw error;
  }
}

type Step = { entry: TarEntry } | { data: Uint8Array } | 'end';

/** What one piece of the archive holds, to be worked through before the next. */
class Members implements TarVisitor {
  #steps: Step[] = [];

  entry(entry: TarEntry): void {
    this.#steps.push({ entry });
  }

  data(data: Uint8Array): void {
    this.#steps.push({ data });
  }

  endEntry(): void {
    this.#steps.push('end');
  }

  take(): Step[] {
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }
}

/** The member that is being read. */
type Current =
  | { kind: 'document'; path: string; bytes: Uint8Array; fill: number }
  | { kind: 'small'; path: string; bytes: Uint8Array; fill: number }
  | { kind: 'blob'; path: string; ingest: Ingest; head: Uint8Array; expected: Digest | undefined }
  /** It is here already. */
  | { kind: 'known'; path: string; digest: Digest; size: number; head: Uint8Array };

class Receiver {
  readonly #ports: ArchivePorts;
  readonly #id = randomUUID();
  readonly #files = new Map<string, ReceivedFile>();
  readonly #links = new Map<string, string>();
  readonly #commits = new Set<Promise<void>>();
  readonly #small = new SmallBlobs();
  #count = 0;
  #documentBytes = 0;
  #current: Current | undefined;
  #failure: unknown;

  constructor(ports: ArchivePorts) {
    this.#ports = ports;
  }

  async take(step: Step): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (step === 'end') await this.#end();
    else if ('entry' in step) await this.#begin(step.entry);
    else await this.#data(step.data);
  }

  async finish(): Promise<ReceivedArchive> {
    await Promise.all(this.#commits);
    if (this.#failure !== undefined) throw this.#failure;
    await this.#storeSmall();
    await Promise.all(this.#commits);
    if (this.#failure !== undefined) throw this.#failure;
    return { files: this.#files, links: this.#links };
  }

  async abort(): Promise<void> {
    if (this.#current?.kind === 'blob') await this.#current.ingest.abort();
    await Promise.allSettled(this.#commits);
  }

  async #begin(entry: TarEntry): Promise<void> {
    const { path, type, linkTarget, size } = entry;
    if (type === 'symlink') this.#links.set(path, linkPath(path, linkTarget));
    if (type === 'hardlink') this.#links.set(path, linkTarget);
    if (type !== 'file') return;
    if (entry.sparse !== undefined)
      throw new EngineError('invalid', `Cannot load archive: ${JSON.stringify(path)} is a sparse file`, {
        code: 'archive-hostile',
      });
    this.#links.delete(path);
    if (isDocument(path)) this.#current = this.#document(path, size);
    else if (this.#small.takes(size))
      this.#current = { kind: 'small', path, bytes: new Uint8Array(size), fill: 0 };
    else this.#current = await this.#blob(path, size);
  }

  #document(path: string, size: number): Current {
    this.#documentBytes += size;
    if (size > MAX_DOCUMENT_BYTES || this.#documentBytes > MAX_DOCUMENTS_BYTES)
      throw new EngineError('invalid', `Cannot load archive: ${JSON.stringify(path)} is too large`, {
        code: 'size-exceeded',
      });
    return { kind: 'document', path, bytes: new Uint8Array(size), fill: 0 };
  }

  async #blob(path: string, size: number): Promise<Current> {
    const { content, hold } = this.#ports;
    if (this.#count >= MAX_BLOBS) throw tooManyBlobs();
    const expected = promisedDigest(path);
    const head = new Uint8Array();
    if (expected !== undefined) {
      await hold(expected);
      if ((await content.size(expected)) === size) {
        this.#count++;
        return { kind: 'known', path, digest: expected, size, head };
      }
    }
    const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected);
    const ingest = await content.ingest(`load-${this.#id}-${this.#count++}`, { ephemeral: true, algorithm });
    return { kind: 'blob', path, ingest, head, expected };
  }

  async #data(data: Uint8Array): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    if (current.kind === 'document' || current.kind === 'small') {
      current.bytes.set(data, current.fill);
      current.fill += data.length;
      return;
    }
    if (current.head.length < magicBytes)
      current.head = Buffer.concat([current.head, data.subarray(0, magicBytes - current.head.length)]);
    if (current.kind === 'blob') await current.ingest.write(data);
  }

  async #end(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const { path } = current;
    if (current.kind === 'document') this.#files.set(path, { kind: 'document', bytes: current.bytes });
    else if (current.kind === 'small') this.#endSmall(path, current.bytes);
    else if (current.kind === 'known') {
      const { digest, size } = current;
      this.#files.set(path, { kind: 'blob', digest, size, compression: detectCompression(current.head) });
    } else await this.#later(this.#commit(current));
  }

  /** One without a digest in its name is for who asks for it by its path. */
  #endSmall(path: string, bytes: Uint8Array): void {
    const expected = promisedDigest(path);
    this.#files.delete(path);
    if (expected === undefined) this.#files.set(path, { kind: 'document', bytes });
    else if (!this.#small.add({ path, digest: expected, bytes })) throw wrongDigest(path);
  }

  async #storeSmall(): Promise<void> {
    const { content, signal } = this.#ports;
    const archive = { files: this.#files, links: this.#links };
    const named = await this.#small.namedBy(archive, { content, signal });
    if (this.#count + named.length > MAX_BLOBS) throw tooManyBlobs();
    for (const blob of named) {
      signal.throwIfAborted();
      await this.#later(this.#write(blob));
    }
  }

  async #write({ path, digest, bytes }: SmallBlob): Promise<void> {
    await this.#ports.hold(digest);
    await this.#ports.content.write(bytes, digest);
    this.#files.set(path, {
      kind: 'blob',
      digest,
      size: bytes.length,
      compression: detectCompression(bytes),
    });
  }

  /** Reading goes on while a blob is synced. */
  async #later(work: Promise<void>): Promise<void> {
    const commit = work.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#commits.add(commit);
    void commit.finally(() => this.#commits.delete(commit));
    if (this.#commits.size >= COMMITS_AT_ONCE) await Promise.race(this.#commits);
  }

  async #commit({ path, ingest, head, expected }: Current & { kind: 'blob' }): Promise<void> {
    try {
      if (expected === undefined) await this.#ports.hold(await ingest.digest());
      const { digest, size } = await ingest.commit(expected === undefined ? {} : { digest: expected });
      this.#files.set(path, { kind: 'blob', digest, size, compression: detectCompression(head) });
    } catch (error) {
      await ingest.abort();
      if (!(error instanceof EngineError) || error.code !== 'digest-mismatch') throw error;
      throw wrongDigest(path, error);
    }
  }
}

function wrongDigest(path: string, cause?: unknown): EngineError {
  return new EngineError('invalid', `Cannot load archive: ${path} does not have the digest that names it`, {
    code: 'digest-mismatch',
    cause,
  });
}

function tooManyBlobs(): EngineError {
  return new EngineError('invalid', `Cannot load archive: it has more than ${MAX_BLOBS} blobs`, {
    code: 'archive-hostile',
    hint: 'Save its images in several archives.',
  });
}

/** Docker's own names; what else is JSON is found as a blob. */
function isDocument(path: string): boolean {
  return (
    path === 'oci-layout' ||
    path === 'repositories' ||
    path === 'index.json' ||
    path === 'manifest.json' ||
    /^[0-9a-f]{64}(\.json|\/json|\/VERSION)$/.test(path)
  );
}

function promisedDigest(path: string): Digest | undefined {
  const [, algorithm, hex] = /^blobs\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

/** A link is only a name to look up; one that leaves the archive finds nothing. */
function linkPath(path: string, target: string): string {
  const joined = target.startsWith('/') ? target : posix.join(posix.dirname(path), target);
  return joined.split('/').includes('..') ? '' : cleanMemberPath(joined);
}
