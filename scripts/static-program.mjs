// Plain Node 18: set-up asks before Bun is there.
import { closeSync, openSync, readSync } from 'node:fs';

const PT_INTERP = 3;
/** Program headers follow the ELF header in what linkers make; more than this is none of theirs. */
const HEAD_BYTES = 4096;

/** Whether a program needs no other file to run: an ELF (64 bits, little endian) that asks for no interpreter. What can't be read is none. */
export function isStaticProgram(path) {
  const head = headOf(path);
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return false;
  const [start, size, count] = [
    Number(head.readBigUInt64LE(32)),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  if (size < 4 || count === 0 || start + size * count > head.length) return false;
  return Array.from({ length: count }, (_, index) => head.readUInt32LE(start + index * size)).every(
    (type) => type !== PT_INTERP,
  );
}

function headOf(path) {
  try {
    const file = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return Buffer.alloc(0);
  }
}
