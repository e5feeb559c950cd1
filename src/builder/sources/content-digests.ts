import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { errnoCodeOf } from '../../errors/engine-error.ts';
import type { ContentStamp, FileNode } from './file-node.ts';
import { isSameStamp } from './same-stamp.ts';

const RECORD_BYTES = 72;
const MAGIC = Buffer.from('sampan digests 3\n'.padEnd(24, '\0'));
/** A file changed so shortly before it was read may change again within the same tick of the file system's clock. */
const SETTLED_NS = 100_000_000n;
/** No file system's clock that we read in place ticks slower: what is written to a file later than this shows in its ctime. */
const TICK_NS = 20_000_000n;
const PIECE_BYTES = 1 << 20;
const MAX_BYTES = 256 << 20;

interface Known {
  stamp: ContentStamp;
  digest: Uint8Array;
}

/**
 * Digests of nodes: type, mode, owner, size, link, device, xattrs and content; no names and no times. Those of a file system are remembered by what it says of the file without reading it (what changes any of these changes its ctime), in `file`, so
 * that the next build reads only what changed. A file that was touched while or just before it was read isn't remembered.
 */
export class ContentDigests {
  readonly #file: string | undefined;
  readonly #known: KnownRecords;
  /** Of files that have no stamp, for as long as this lives. */
  readonly #byKey = new Map<string, Buffer>();
  readonly #seen = new Map<number, Known>();
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #isChanged = false;

  constructor(file: string | undefined) {
    this.#file = file;
    this.#known = new KnownRecords(file === undefined ? undefined : read(file));
  }

  /** sha256, 32 bytes. */
  of(node: FileNode): Uint8Array {
    const stamp = node.stamp();
    if (stamp === undefined) return this.#byNode(node);
    const key = Number(stamp.inode);
    const seen = this.#seen.get(key);
    if (seen !== undefined && isSameStamp(seen.stamp, stamp)) return seen.digest;
    const known = this.#known.find(key, stamp);
    if (known !== undefined) {
      this.#seen.set(key, { stamp, digest: known });
      return known;
    }
    awaitTick(stamp);
    const now = BigInt(Date.now()) * 1_000_000n;
    const digest = this.#read(node);
    this.#isChanged = true;
    if (stamp.ctimeNs + SETTLED_NS < now) this.#seen.set(key, { stamp, digest });
    return digest;
  }

  /** Keep what was learnt; what can't be kept is learnt again. Files that weren't asked for are kept too, up to twice as many. */
  save(): void {
    if (this.#file === undefined || !this.#isChanged) return;
    const others = this.#known.others(this.#seen, this.#seen.size + 10_000);
    const temporary = `${this.#file}.${randomUUID()}.tmp`;
    writeFileSync(temporary, Buffer.concat([MAGIC, ...[...this.#seen.values()].map(encode), ...others]), {
      mode: 0o600,
    });
    renameSync(temporary, this.#file);
  }

  #byNode(node: FileNode): Buffer {
    const known = this.#byKey.get(node.key);
    if (known !== undefined) return known;
    const digest = this.#read(node);
    if (node.links > 1) this.#byKey.set(node.key, digest);
    return digest;
  }

  #read(node: FileNode): Buffer {
    const hash = new Bun.CryptoHasher('sha256').update(headerOf(node));
    if (node.type !== 'file' || node.size === 0) return hash.digest() as Buffer;
    const content = node.open();
    try {
      for (let at = 0; at < node.size; ) {
        const count = content.read(this.#buffer, 0, Math.min(PIECE_BYTES, node.size - at), at);
        if (count === 0) break;
        hash.update(this.#buffer.subarray(0, count));
        at += count;
      }
    } finally {
      content.close();
    }
    return hash.digest() as Buffer;
  }
}

/** So that no write after the reading can hide in the tick of the one before. */
function awaitTick({ ctimeNs }: ContentStamp): void {
  const waitMs = Number((ctimeNs + TICK_NS) / 1_000_000n) - Date.now();
  if (waitMs > 0 && waitMs <= Number(TICK_NS / 1_000_000n)) Bun.sleepSync(waitMs);
}

function encode({ stamp, digest }: Known): Buffer {
  const record = Buffer.alloc(RECORD_BYTES);
  for (const [at, field] of fieldsOf(stamp).entries())
    record.writeBigInt64LE(BigInt.asIntN(64, field), at * 8);
  record.set(digest, 40);
  return record;
}

function fieldsOf({ inode, device, size, mtimeNs, ctimeNs }: ContentStamp): bigint[] {
  return [inode, device, size, mtimeNs, ctimeNs];
}

/** The file's records as they were read, looked up in place. None where there is no such file, or one of another make. */
class KnownRecords {
  readonly #bytes: Buffer;
  readonly #places = new Map<number, number>();

  constructor(bytes: Buffer | undefined) {
    const isOurs = bytes?.subarray(0, MAGIC.length).equals(MAGIC) === true;
    this.#bytes = isOurs ? bytes : Buffer.alloc(0);
    for (let at = MAGIC.length; at + RECORD_BYTES <= this.#bytes.length; at += RECORD_BYTES)
      this.#places.set(Number(this.#bytes.readBigUInt64LE(at)), at);
  }

  find(key: number, stamp: ContentStamp): Uint8Array | undefined {
    const at = this.#places.get(key);
    if (at === undefined) return undefined;
    const isSame = fieldsOf(stamp).every(
      (field, index) => this.#bytes.readBigInt64LE(at + index * 8) === BigInt.asIntN(64, field),
    );
    return isSame ? this.#bytes.subarray(at + 40, at + RECORD_BYTES) : undefined;
  }

  /** At most `count` records of files that aren't among `seen`. */
  others(seen: ReadonlyMap<number, unknown>, count: number): Buffer[] {
    const places = [...this.#places].filter(([key]) => !seen.has(key)).slice(0, count);
    return places.map(([, at]) => this.#bytes.subarray(at, at + RECORD_BYTES));
  }
}

function read(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    return bytes.length <= MAX_BYTES ? bytes : undefined;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** As BuildKit counts: no times, and of the system's own xattrs the capabilities alone. */
function headerOf(node: FileNode): string {
  const { type, mode, uid, gid, size, linkTarget, deviceMajor, deviceMinor, xattrs } = node.attributes();
  const shown = type === 'symlink' ? 0o777 : mode;
  const header = `\0${type} ${shown} ${uid} ${gid} ${type === 'file' ? size : 0} ${deviceMajor ?? 0} ${deviceMinor ?? 0}\0${linkTarget ?? ''}`;
  return xattrs.size === 0 ? header : header + xattrWords(xattrs);
}

function xattrWords(xattrs: ReadonlyMap<string, Uint8Array>): string {
  const counted = [...xattrs].filter(
    ([name]) => name === 'security.capability' || !/^(security|system)\./.test(name),
  );
  return counted
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `\0${name}=${Buffer.from(value).toString('hex')}`)
    .join('');
}
