import type { TarEntry } from '../entry.ts';
import type { TarLimits } from '../tar-limits.ts';
import { TarReader } from '../tar-reader.ts';

export interface ReadMember extends TarEntry {
  content: Buffer;
}

/** All members of an archive, given to the reader in pieces of `pieceBytes`. */
export function readTar(
  archive: Uint8Array,
  options: { pieceBytes?: number; limits?: Partial<TarLimits> } = {},
): ReadMember[] {
  const members: ReadMember[] = [];
  let chunks: Buffer[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void members.push({ ...entry, content: Buffer.alloc(0) }),
      data: (chunk) => void chunks.push(Buffer.from(chunk)),
      endEntry: () => {
        const last = members.at(-1);
        if (last !== undefined) last.content = Buffer.concat(chunks);
        chunks = [];
      },
    },
    options.limits,
  );
  const pieceBytes = options.pieceBytes ?? archive.length;
  for (let at = 0; at < archive.length; at += pieceBytes) reader.write(archive.subarray(at, at + pieceBytes));
  reader.finish();
  return members;
}

/** The file as it was, holes filled with zeros. */
export function expanded(member: ReadMember): Buffer {
  if (member.sparse === undefined) return member.content;
  const file = Buffer.alloc(member.sparse.realSize);
  let at = 0;
  for (const { offset, length } of member.sparse.segments) {
    member.content.copy(file, offset, at, at + length);
    at += length;
  }
  return file;
}
