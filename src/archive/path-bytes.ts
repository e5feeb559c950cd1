import { isUtf8 } from 'node:buffer';
import { EngineError } from '../errors/engine-error.ts';

/**
 * Linux paths are bytes, ours are strings. Valid UTF-8 becomes the text that it is; each byte that is not part of valid UTF-8 becomes the
 * lone surrogate U+DC00 + byte (Python's `surrogateescape`). Since UTF-8 never encodes a surrogate, `encodePath(decodePath(b))` is `b` for
 * every `b`, and two different byte strings never give the same text. Everything that writes a path (tar, EROFS, a system call) must go
 * through `encodePath`, and must compare bytes, not UTF-16 units, where an order by bytes is wanted (`comparePathBytes`).
 */
export function decodePath(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  return isUtf8(buffer) ? buffer.toString('utf8', 0, buffer.length) : decodeEscaped(buffer);
}

/** The bytes of a path that `decodePath` made. @throws EngineError "invalid" for text that has no bytes (a surrogate that is no escape). */
export function encodePath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path, 'utf8');
  const bytes = Buffer.alloc(path.length * 3);
  let length = 0;
  for (const character of path) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) bytes[length++] = code - 0xdc00;
    else if (code >= 0xd800 && code <= 0xdfff) {
      throw new EngineError('invalid', `Cannot encode path ${JSON.stringify(path)}: lone surrogate`);
    } else length += bytes.write(character, length, 'utf8');
  }
  return bytes.subarray(0, length);
}

const SURROGATES = 0xd800;

/** Orders paths by their bytes, as a kernel or a sorted directory does. */
export function comparePathBytes(a: string, b: string): number {
  const common = Math.min(a.length, b.length);
  for (let at = 0; at < common; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right && left < SURROGATES) continue;
    // Below the surrogates UTF-16 has the order of UTF-8, and no byte is to be made.
    if (left < SURROGATES && right < SURROGATES) return left - right;
    return Buffer.compare(encodePath(a), encodePath(b));
  }
  return a.length - b.length;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeEscaped(buffer: Buffer): string {
  const parts: string[] = [];
  let at = 0;
  while (at < buffer.length) {
    const length = validSequenceLength(buffer, at);
    if (length === 0) {
      parts.push(String.fromCharCode(0xdc00 + (buffer[at] ?? 0)));
      at++;
    } else {
      parts.push(buffer.toString('utf8', at, at + length));
      at += length;
    }
  }
  return parts.join('');
}

/** Bytes of the one character at `at`, 0 when it is not valid UTF-8. */
function validSequenceLength(buffer: Buffer, at: number): number {
  const first = buffer[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || at + length > buffer.length) return 0;
  return isUtf8(buffer.subarray(at, at + length)) ? length : 0;
}
