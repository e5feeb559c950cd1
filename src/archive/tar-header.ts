import { hostileArchive } from './archive-error.ts';
import { decodePath } from './path-bytes.ts';

export const blockSize = 512;

/** One header block as it stands, before pax or GNU extensions are applied. */
export interface TarHeader {
  format: 'v7' | 'ustar' | 'gnu' | 'star';
  name: string;
  typeflag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtimeSeconds: number;
  linkName: string;
  deviceMajor: number;
  deviceMinor: number;
}

/** Sum of the block's bytes with the checksum field taken as spaces; 256 for a block of zeros. */
function checksum(block: Uint8Array, at: number): { unsigned: number; highBytes: number } {
  let unsigned = 8 * 0x20;
  let highBytes = 0;
  for (let i = at; i < at + 148; i++) {
    const byte = block[i] as number;
    unsigned += byte;
    highBytes += byte >>> 7;
  }
  for (let i = at + 156; i < at + blockSize; i++) {
    const byte = block[i] as number;
    unsigned += byte;
    highBytes += byte >>> 7;
  }
  return { unsigned, highBytes };
}

export function isZeroBlock(block: Uint8Array, at: number): boolean {
  for (let i = at; i < at + blockSize; i++) if (block[i] !== 0) return false;
  return true;
}

/**
 * Parse the header block of `block` at `at`.
 *
 * @throws EngineError "invalid" code archive-hostile for a wrong checksum or a number that is none.
 */
export function parseTarHeader(block: Buffer, at: number): TarHeader {
  verifyChecksum(block, at);
  const format = formatOf(block, at);
  const name = memberName(block, at, format);
  const number = (offset: number, length: number): number =>
    parseNumber(block.subarray(at + offset, at + offset + length), name);
  const type = block[at + 156] ?? 0;
  const devices = format !== 'v7' && (type === 0x33 || type === 0x34);
  return {
    format,
    name,
    typeflag: String.fromCharCode(type),
    mode: number(100, 8) & 0o7777,
    uid: number(108, 8),
    gid: number(116, 8),
    size: number(124, 12),
    mtimeSeconds: number(136, 12),
    linkName: textField(block, at + 157, 100),
    deviceMajor: devices ? number(329, 8) : 0,
    deviceMinor: devices ? number(337, 8) : 0,
  };
}

/** Whether an archive may begin with these bytes: what tells it from any other file. */
export function isTarHeader(head: Buffer): boolean {
  return head.length >= blockSize && hasChecksum(head, 0);
}

function verifyChecksum(block: Buffer, at: number): void {
  if (!hasChecksum(block, at))
    throw hostileArchive('', 'header checksum does not match; this is no tar archive, or a damaged one');
}

function hasChecksum(block: Buffer, at: number): boolean {
  const digits = /^[ \0]*([0-7]+)/.exec(block.toString('latin1', at + 148, at + 156))?.[1];
  const stored = Number.parseInt(digits ?? '', 8);
  const { unsigned, highBytes } = checksum(block, at);
  // Old tars summed signed chars.
  return stored === unsigned || stored === unsigned - highBytes * 256;
}

function formatOf(block: Buffer, at: number): TarHeader['format'] {
  const magic = block.toString('latin1', at + 257, at + 265);
  if (magic === 'ustar  \0') return 'gnu';
  if (!magic.startsWith('ustar\0')) return 'v7';
  return block.toString('latin1', at + 508, at + 512) === 'tar\0' ? 'star' : 'ustar';
}

function memberName(block: Buffer, at: number, format: TarHeader['format']): string {
  const name = textField(block, at, 100);
  const prefix = prefixOf(block, at, format);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function prefixOf(block: Buffer, at: number, format: TarHeader['format']): string {
  if (format === 'ustar') return textField(block, at + 345, 155);
  if (format === 'star') return textField(block, at + 345, 131);
  // Go before 1.8 wrote ustar prefixes under GNU's magic, where GNU has times: old Docker images are full of them.
  if (format === 'gnu' && !(isTime(block, at + 345) && isTime(block, at + 357)))
    return textField(block, at + 345, 155);
  return '';
}

function isTime(block: Buffer, at: number): boolean {
  const first = block[at] ?? 0;
  if (first === 0 || first >= 0x80) return true;
  for (let i = at; i < at + 12; i++) {
    const byte = block[i] ?? 0;
    if (byte !== 0 && byte !== 0x20 && (byte < 0x30 || byte > 0x37)) return false;
  }
  return true;
}

/** Bytes up to the first NUL, as a path. */
export function textField(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return decodePath(block.subarray(at, end === -1 || end > at + length ? at + length : end));
}

/**
 * An octal field, padded with spaces or NULs on either side, or GNU's base-256 (big-endian two's complement, high bit set). Empty is 0.
 *
 * @throws EngineError "invalid" code archive-hostile when it is no number, or none that a double holds exactly.
 */
export function parseNumber(field: Uint8Array, member: string): number {
  const first = field[0] ?? 0;
  return first >= 0x80 ? parseBase256(field, member) : parseOctal(field, member);
}

function parseOctal(field: Uint8Array, member: string): number {
  let at = 0;
  let end = field.length;
  while (at < end && isPadding(field[at])) at++;
  while (end > at && isPadding(field[end - 1])) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = (field[at] as number) - 0x30;
    // A NUL inside ends the number, as in C.
    if (digit === -0x30) break;
    if (digit < 0 || digit > 7) throw hostileArchive(member, 'header has a field that is no octal number');
    value = value * 8 + digit;
  }
  return value;
}

function isPadding(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

function parseBase256(field: Uint8Array, member: string): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = BigInt((field[0] ?? 0) & 0x7f);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  if (negative) value -= 1n << BigInt(field.length * 8 - 1);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw hostileArchive(member, 'header has a number out of range');
  return result;
}
