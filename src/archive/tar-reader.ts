import { hostileArchive, truncatedArchive } from './archive-error.ts';
import type { SparseMap, TarEntry } from './entry.ts';
import { decodePath } from './path-bytes.ts';
import type { MemberAttributes, PaxContext } from './pax-records.ts';
import { emptyPaxAttributes, parsePaxRecords } from './pax-records.ts';
import type { OldSparseMap } from './sparse-map.ts';
import { appendOldSparseBlock, parseOldSparseHeader, SparseMapParser } from './sparse-map.ts';
import type { TarHeader } from './tar-header.ts';
import { blockSize, isZeroBlock, parseTarHeader } from './tar-header.ts';
import type { TarLimits } from './tar-limits.ts';
import { defaultTarLimits } from './tar-limits.ts';
import type { MemberParts } from './tar-member.ts';
import { archivedSize, memberName, tarEntryOf } from './tar-member.ts';
import { XattrKeeper } from './xattr-keeper.ts';

/** Receives an archive's members in order. What it throws ends the parse and reaches the caller of `write`. */
export interface TarVisitor {
  entry(entry: TarEntry): void;
  /** Content of the last entry, in order, as archived (sparse: the segments only). A view of the bytes given to `write`, valid as long as they are. */
  data?(chunk: Uint8Array): void;
  /** All content of the last entry has been given; comes for entries without content too. */
  endEntry?(): void;
}

type State = 'header' | 'metadata' | 'sparse-block' | 'sparse-map' | 'content' | 'padding' | 'end';

/**
 * A push parser for v7, ustar, star, GNU and pax archives, uncompressed. Content is skipped by arithmetic when nobody wants it.
 *
 * The archive ends at two blocks of zeros, or where the bytes end between members (as for GNU tar and Go); what follows the zeros
 * is ignored. pax global headers are checked and ignored, as by Docker. After an error the reader is done for.
 *
 * @throws EngineError "invalid", code archive-hostile or archive-truncated, naming the member.
 */
export class TarReader {
  readonly #visitor: TarVisitor;
  readonly #limits: TarLimits;
  readonly #xattrs: XattrKeeper;
  readonly #block = Buffer.allocUnsafe(blockSize);
  #blockFill = 0;
  #state: State = 'header';
  #offset = 0;
  /** Content or metadata bytes still to come, and the padding after them. */
  #remaining = 0;
  #padding = 0;
  #zeroBlocks = 0;
  #entries = 0;
  #member = '';

  #metadata = Buffer.alloc(0);
  #metadataType = '';
  #local: MemberAttributes | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;
  #parts: MemberParts | undefined;
  #oldSparse: OldSparseMap | undefined;
  #mapParser: SparseMapParser | undefined;

  constructor(visitor: TarVisitor, limits: Partial<TarLimits> = {}) {
    this.#visitor = visitor;
    this.#limits = { ...defaultTarLimits, ...limits };
    this.#xattrs = new XattrKeeper(this.#limits);
  }

  /** Bytes seen. */
  get offset(): number {
    return this.#offset;
  }

  /** The next bytes of the archive, in pieces of any size. */
  write(chunk: Uint8Array): void {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < buffer.length) at = this.#consume(buffer, at);
  }

  /** The archive is complete. @throws EngineError "invalid" code archive-truncated when it is not. */
  finish(): void {
    const inside = this.#state !== 'header' && this.#state !== 'padding' && this.#state !== 'end';
    if (inside || this.#blockFill > 0) throw truncatedArchive(this.#member, 'unexpected end of archive');
    if (this.#local !== undefined || this.#longName !== undefined || this.#longLink !== undefined)
      throw truncatedArchive(this.#member, 'archive ends after an extended header');
  }

  #consume(buffer: Buffer, at: number): number {
    switch (this.#state) {
      case 'content':
        return this.#content(buffer, at);
      case 'padding':
        return this.#skipPadding(buffer, at);
      case 'metadata':
        return this.#collectMetadata(buffer, at);
      case 'end':
        this.#offset += buffer.length - at;
        return buffer.length;
      case 'header':
      case 'sparse-block':
      case 'sparse-map':
        return this.#collectBlock(buffer, at);
    }
  }

  #collectBlock(buffer: Buffer, at: number): number {
    const available = buffer.length - at;
    if (this.#blockFill === 0 && available >= blockSize) {
      this.#offset += blockSize;
      this.#handleBlock(buffer, at);
      return at + blockSize;
    }
    const length = Math.min(blockSize - this.#blockFill, available);
    buffer.copy(this.#block, this.#blockFill, at, at + length);
    this.#blockFill += length;
    this.#offset += length;
    if (this.#blockFill === blockSize) {
      this.#blockFill = 0;
      this.#handleBlock(this.#block, 0);
    }
    return at + length;
  }

  #handleBlock(block: Buffer, at: number): void {
    if (this.#state === 'header') this.#handleHeader(block, at);
    else if (this.#state === 'sparse-block') this.#handleSparseBlock(block, at);
    else this.#handleMapBlock(block, at);
  }

  #content(buffer: Buffer, at: number): number {
    const length = Math.min(this.#remaining, buffer.length - at);
    this.#visitor.data?.(buffer.subarray(at, at + length));
    this.#remaining -= length;
    this.#offset += length;
    if (this.#remaining === 0) this.#endContent();
    return at + length;
  }

  #endContent(): void {
    this.#state = this.#padding > 0 ? 'padding' : 'header';
    this.#visitor.endEntry?.();
  }

  #skipPadding(buffer: Buffer, at: number): number {
    const length = Math.min(this.#padding, buffer.length - at);
    this.#padding -= length;
    this.#offset += length;
    if (this.#padding === 0) this.#state = 'header';
    return at + length;
  }

  #handleHeader(block: Buffer, at: number): void {
    if (block[at] === 0 && isZeroBlock(block, at)) {
      if (++this.#zeroBlocks === 2) this.#state = 'end';
      return;
    }
    if (this.#zeroBlocks > 0) throw hostileArchive('', 'a lone block of zeros between members');
    const header = parseTarHeader(block, at);
    this.#member = header.name;
    if ('xgLK'.includes(header.typeflag)) this.#beginMetadata(header);
    else this.#beginMember(header, block, at);
  }

  #beginMetadata(header: TarHeader): void {
    if (header.size < 0 || header.size > this.#limits.metadataBytes)
      throw hostileArchive(header.name, `extended header is larger than ${this.#limits.metadataBytes} bytes`);
    this.#countEntry();
    this.#metadataType = header.typeflag;
    this.#metadata = Buffer.allocUnsafe(header.size);
    this.#remaining = header.size;
    this.#padding = paddingOf(header.size);
    this.#state = 'metadata';
    if (header.size === 0) this.#endMetadata();
  }

  #collectMetadata(buffer: Buffer, at: number): number {
    const length = Math.min(this.#remaining, buffer.length - at);
    buffer.copy(this.#metadata, this.#metadata.length - this.#remaining, at, at + length);
    this.#remaining -= length;
    this.#offset += length;
    if (this.#remaining === 0) this.#endMetadata();
    return at + length;
  }

  #endMetadata(): void {
    const data = this.#metadata;
    const context = this.#context(this.#member);
    if (this.#metadataType === 'g') parsePaxRecords(data, emptyPaxAttributes(), context);
    else if (this.#metadataType === 'x') {
      const local = emptyPaxAttributes();
      parsePaxRecords(data, local, context);
      this.#local = { ...local, xattrs: this.#xattrs.keep(local.xattrs, this.#member) };
    } else if (this.#metadataType === 'L') this.#longName = nulTerminated(data);
    else this.#longLink = nulTerminated(data);
    this.#state = this.#padding > 0 ? 'padding' : 'header';
  }

  #beginMember(header: TarHeader, block: Buffer, at: number): void {
    this.#countEntry();
    const parts: MemberParts = {
      header,
      longName: this.#longName,
      longLink: this.#longLink,
      local: this.#local,
    };
    this.#longName = this.#longLink = this.#local = undefined;
    this.#parts = parts;
    this.#member = memberName(parts);
    this.#remaining = archivedSize(parts, this.#limits);
    this.#padding = paddingOf(this.#remaining);
    if (header.typeflag === 'S') this.#beginOldSparse(block, at);
    else this.#beginPaxSparse(parts);
  }

  #beginOldSparse(block: Buffer, at: number): void {
    this.#oldSparse = parseOldSparseHeader(block, at, this.#context(this.#member));
    if (this.#oldSparse.extended) this.#state = 'sparse-block';
    else this.#emit(this.#oldSparse);
  }

  #handleSparseBlock(block: Buffer, at: number): void {
    const map = this.#oldSparse;
    if (map === undefined) throw hostileArchive(this.#member, 'sparse block without a sparse header');
    appendOldSparseBlock(block, at, { map, context: this.#context(this.#member) });
    if (!map.extended) this.#emit(map);
  }

  #beginPaxSparse({ local, header }: MemberParts): void {
    const sparse = local?.sparse;
    const used = sparse !== undefined && (sparse.major !== undefined || sparse.realSize !== undefined);
    if (!used || !'\x0007'.includes(header.typeflag)) return this.#emit(undefined);
    const version = `${sparse.major ?? 0}.${sparse.minor ?? 0}`;
    if (version === '1.0') {
      this.#mapParser = new SparseMapParser(this.#context(this.#member));
      this.#state = 'sparse-map';
      this.#checkMapFits();
    } else if (version === '0.0' || version === '0.1') {
      this.#emit({ realSize: sparse.realSize ?? -1, segments: sparse.segments });
    } else throw hostileArchive(this.#member, `unknown sparse format ${version}`);
  }

  #handleMapBlock(block: Buffer, at: number): void {
    const used = Math.min(blockSize, this.#remaining);
    this.#remaining -= used;
    const done = this.#mapParser?.push(block, at, at + used) ?? true;
    if (!done) return this.#checkMapFits();
    // What is left after whole blocks is padded as before.
    const realSize = this.#parts?.local?.sparse.realSize ?? -1;
    if (used < blockSize) this.#padding = 0;
    this.#emit({ realSize, segments: this.#mapParser?.segments() ?? [] });
  }

  #checkMapFits(): void {
    if (this.#remaining === 0) throw hostileArchive(this.#member, 'sparse map is longer than the member');
  }

  #emit(sparse: SparseMap | undefined): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    this.#parts = this.#oldSparse = this.#mapParser = undefined;
    const content = { size: this.#remaining, dataOffset: this.#offset, sparse };
    this.#visitor.entry(tarEntryOf(parts, content, this.#limits));
    this.#state = 'content';
    if (this.#remaining === 0) this.#endContent();
  }

  #countEntry(): void {
    if (++this.#entries > this.#limits.entries)
      throw hostileArchive(this.#member, `archive has more than ${this.#limits.entries} members`);
  }

  #context(member: string): PaxContext {
    return { member, limits: this.#limits };
  }
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

function nulTerminated(data: Buffer): string {
  const end = data.indexOf(0);
  return decodePath(end === -1 ? data : data.subarray(0, end));
}
