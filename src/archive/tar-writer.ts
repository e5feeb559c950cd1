import { EngineError } from '../errors/engine-error.ts';
import type { TarEntry } from './entry.ts';
import { encodePath } from './path-bytes.ts';

const blockSize = 512;
const typeflags: Record<TarEntry['type'], string> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  // No archive format has sockets; Docker leaves them out.
  socket: '',
};

/** What a writer needs to know of a member; a `TarEntry` fits. */
export type TarMember = Pick<TarEntry, 'path' | 'type' | 'mode' | 'size'> & Partial<TarEntry>;

/**
 * Makes ustar headers, with a pax header before them only where ustar cannot say it: long or non-ASCII names, sub-second times, xattrs,
 * numbers that don't fit. The same members give the same bytes on every machine: no user names, no process ids, no clock.
 * Sparse members are written expanded: the caller gives `sparse.realSize` bytes as `size`.
 */
export class TarWriter {
  #left = 0;
  #padding = 0;

  /**
   * Header bytes of the next member; `size` bytes of content (for type `file`) and `padding()` must follow.
   *
   * @throws EngineError "invalid" for a socket, a NUL in a name, or while content of the member before is missing.
   */
  header(member: TarMember): Uint8Array {
    if (this.#left !== 0)
      throw new EngineError('internal', `Cannot write archive: ${this.#left} bytes missing`);
    const name = memberName(member);
    const header = ustarHeader(member, name);
    const records = paxRecords(member, name);
    this.#left = member.type === 'file' ? member.size : 0;
    this.#padding = paddingOf(this.#left);
    return records.length === 0 ? header : Buffer.concat([paxHeader(records), header]);
  }

  /** Count content bytes that the caller writes. @throws EngineError "invalid" when there are more than announced. */
  content(length: number): void {
    this.#left -= length;
    if (this.#left < 0)
      throw new EngineError('invalid', 'Cannot write archive: content is longer than its size');
  }

  /** Zeros after the content. @throws EngineError "invalid" when content is missing. */
  padding(): Uint8Array {
    if (this.#left !== 0)
      throw new EngineError(
        'invalid',
        `Cannot write archive: content is ${this.#left} bytes short of its size`,
      );
    const padding = new Uint8Array(this.#padding);
    this.#padding = 0;
    return padding;
  }

  /** The two blocks that end an archive. */
  end(): Uint8Array {
    return new Uint8Array(2 * blockSize);
  }
}

export interface TarSource {
  entry: TarMember;
  /** Content, exactly `entry.size` bytes; left out for what has none. */
  data?: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined;
}

/** A whole archive, member by member. @throws EngineError "invalid" when content and size differ. */
export async function* writeTar(
  members: AsyncIterable<TarSource> | Iterable<TarSource>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const writer = new TarWriter();
  for await (const { entry, data } of members) {
    yield writer.header(entry);
    if (data !== undefined) {
      for await (const chunk of data) {
        writer.content(chunk.byteLength);
        yield chunk;
      }
    }
    const padding = writer.padding();
    if (padding.length > 0) yield padding;
  }
  yield writer.end();
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Directories end in one slash, the root is `./`. */
function memberName({ path, type }: TarMember): Buffer {
  const name = encodePath(
    path === '' ? './' : type === 'directory' && !path.endsWith('/') ? `${path}/` : path,
  );
  if (name.includes(0))
    throw new EngineError('invalid', `Cannot write archive: NUL in ${JSON.stringify(path)}`);
  return name;
}

function ustarHeader(member: TarMember, name: Buffer): Buffer {
  const typeflag = typeflags[member.type];
  if (typeflag === '') throw new EngineError('invalid', `Cannot write archive: ${member.path} is a socket`);
  const block = Buffer.alloc(blockSize);
  const { prefix, base } = splitName(name);
  base.copy(block, 0);
  octal(block, 100, { length: 8, value: member.mode & 0o7777 });
  octal(block, 108, { length: 8, value: member.uid ?? 0 });
  octal(block, 116, { length: 8, value: member.gid ?? 0 });
  octal(block, 124, { length: 12, value: member.type === 'file' ? member.size : 0 });
  octal(block, 136, { length: 12, value: member.mtimeSeconds ?? 0 });
  block.write(typeflag, 156, 'latin1');
  linkBytes(member).subarray(0, 100).copy(block, 157);
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, 329, { length: 8, value: member.deviceMajor ?? 0 });
  octal(block, 337, { length: 8, value: member.deviceMinor ?? 0 });
  prefix.copy(block, 345);
  return withChecksum(block);
}

/** ustar's two fields, cut at a slash; cut short where that fails, then pax has the whole. */
function splitName(name: Buffer): { prefix: Buffer; base: Buffer; fits: boolean } {
  const none = Buffer.alloc(0);
  if (name.length <= 100) return { prefix: none, base: name, fits: true };
  for (
    let at = name.indexOf(0x2f, name.length - 101);
    at !== -1 && at <= 155;
    at = name.indexOf(0x2f, at + 1)
  ) {
    if (at > 0 && at < name.length - 1)
      return { prefix: name.subarray(0, at), base: name.subarray(at + 1), fits: true };
  }
  return { prefix: none, base: name.subarray(0, 100), fits: false };
}

function octal(block: Buffer, at: number, field: { length: number; value: number }): void {
  const digits = field.length - 1;
  // What does not fit is said by pax; old readers see 0.
  const value = fitsOctal(field.value, field.length) ? field.value : 0;
  block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
}

function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  let sum = 0;
  // By index: an iterator takes many times as long.
  for (let at = 0; at < blockSize; at++) sum += block[at] as number;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function linkBytes(member: TarMember): Buffer {
  if (member.type !== 'symlink' && member.type !== 'hardlink') return Buffer.alloc(0);
  const target = encodePath(member.linkTarget ?? '');
  if (target.includes(0))
    throw new EngineError('invalid', `Cannot write archive: NUL in target of ${member.path}`);
  return target;
}

/** Sorted by key, as Go writes them. */
function paxRecords(member: TarMember, name: Buffer): Buffer[] {
  const records: [string, Buffer][] = [];
  const link = linkBytes(member);
  if (!splitName(name).fits || !isAscii(name)) records.push(['path', name]);
  if (link.length > 100 || !isAscii(link)) records.push(['linkpath', link]);
  pushNumber(records, 'gid', { value: member.gid ?? 0, length: 8 });
  pushNumber(records, 'uid', { value: member.uid ?? 0, length: 8 });
  if (member.type === 'file') pushNumber(records, 'size', { value: member.size, length: 12 });
  const mtime = member.mtimeSeconds ?? 0;
  const nanoseconds = member.mtimeNanoseconds ?? 0;
  if (nanoseconds !== 0 || !fitsOctal(mtime, 12)) records.push(['mtime', paxTime(mtime, nanoseconds)]);
  for (const [key, value] of member.xattrs ?? []) records.push(xattrRecord(key, value));
  return records.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => paxRecord(key, value));
}

/** SCHILY's form, but for names with `=`, which end a pax key: libarchive's escaped one. */
function xattrRecord(key: string, value: Uint8Array): [string, Buffer] {
  if (!key.includes('=')) return [`SCHILY.xattr.${key}`, Buffer.from(value)];
  return [`LIBARCHIVE.xattr.${encodeURIComponent(key)}`, Buffer.from(Buffer.from(value).toString('base64'))];
}

function pushNumber(
  records: [string, Buffer][],
  key: string,
  field: { value: number; length: number },
): void {
  if (!fitsOctal(field.value, field.length)) records.push([key, Buffer.from(String(field.value))]);
}

/** Seconds with a fraction that counts away from zero, trailing zeros cut. */
function paxTime(seconds: number, nanoseconds: number): Buffer {
  const negative = seconds < 0;
  const whole = negative && nanoseconds > 0 ? -(seconds + 1) : Math.abs(seconds);
  const rest = negative && nanoseconds > 0 ? 1_000_000_000 - nanoseconds : nanoseconds;
  const fraction = rest === 0 ? '' : `.${String(rest).padStart(9, '0').replace(/0+$/, '')}`;
  return Buffer.from(`${negative ? '-' : ''}${whole}${fraction}`);
}

/** `length key=value\n`, where length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = body.length + String(body.length).length;
  if (String(length).length !== String(body.length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function paxHeader(records: Buffer[]): Buffer {
  const body = Buffer.concat(records);
  const header = ustarHeader({ path: '@PaxHeader', type: 'file', mode: 0o644, size: body.length }, paxName);
  header.write('x', 156, 'latin1');
  return Buffer.concat([withChecksum(header), body, Buffer.alloc(paddingOf(body.length))]);
}

const paxName = Buffer.from('PaxHeaders.0/x');

function isAscii(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) >= 0x80) return false;
  return true;
}
