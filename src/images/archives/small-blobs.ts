import type { ContentStore } from '../../content/content-store.ts';
import { type Digest, digestOfHex, hasDigest } from '../../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../../oci/manifest.ts';
import type { ReceivedArchive } from './received-archive.ts';

/** Manifests, configs and attestations, and the layers of small steps. */
const MAX_BYTES = 64 << 10;
/** Of all of them together; what comes after is stored at once. */
const MAX_TOTAL_BYTES = 16 << 20;
const HEX_DIGEST = /(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})(?![0-9a-f])/g;

export interface SmallBlob {
  path: string;
  digest: Digest;
  bytes: Uint8Array;
}

/** Blobs of an archive that wait until its documents have said whether they are wanted. */
export class SmallBlobs {
  readonly #blobs = new Map<Digest, SmallBlob>();
  #totalBytes = 0;

  /** Whether another of `size` bytes may wait; it then counts. */
  takes(size: number): boolean {
    if (size > MAX_BYTES || this.#totalBytes + size > MAX_TOTAL_BYTES) return false;
    this.#totalBytes += size;
    return true;
  }

  /** @returns Whether the bytes have the digest. */
  add(blob: SmallBlob): boolean {
    if (!hasDigest(blob.bytes, blob.digest)) return false;
    this.#blobs.set(blob.digest, blob);
    return true;
  }

  /**
   * Those whose digest stands anywhere in a document or link of the archive, or in JSON that is named so itself. Rather too many than too few: what they mean is
   * decided by who reads the documents.
   */
  async namedBy(
    archive: ReceivedArchive,
    { content, signal }: { content: ContentStore; signal: AbortSignal },
  ): Promise<SmallBlob[]> {
    const stored = storedDocuments(archive);
    const seen = new Set<string>();
    const named: SmallBlob[] = [];
    const todo: (Uint8Array | Digest)[] = documentsOf(archive);
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      signal.throwIfAborted();
      const text =
        typeof next === 'string' ? await content.read(next, { maxBytes: MAX_MANIFEST_BYTES }) : next;
      if (typeof next === 'string' && !isJson(text)) continue;
      for (const [hex] of latin1(text).matchAll(HEX_DIGEST)) {
        if (seen.has(hex)) continue;
        seen.add(hex);
        const digest = digestOfHex(hex);
        if (digest === undefined) continue;
        const blob = this.#blobs.get(digest);
        if (blob !== undefined) named.push(blob);
        // Read in its turn: a document may name thousands of them.
        if (stored.has(digest)) todo.push(digest);
        else if (blob !== undefined && isJson(blob.bytes)) todo.push(blob.bytes);
      }
    }
    return named;
  }
}

/** Blobs that went to the content store and may be manifests: larger ones are refused as such anyway. */
function storedDocuments({ files }: ReceivedArchive): Set<Digest> {
  const found = new Set<Digest>();
  for (const file of files.values())
    if (file.kind === 'blob' && file.compression === 'none' && file.size <= MAX_MANIFEST_BYTES)
      found.add(file.digest);
  return found;
}

function documentsOf({ files, links }: ReceivedArchive): Uint8Array[] {
  const targets = new TextEncoder().encode([...links.values()].join('\n'));
  return [targets, ...[...files.values()].flatMap((file) => (file.kind === 'document' ? [file.bytes] : []))];
}

function isJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
  return first === 0x7b;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
